// UUIDv7 (RFC 9562, section 5.7) by hand: a page on the LAN is no secure context and has no crypto.randomUUID.

/** `now` in Unix milliseconds; `bytes` are 16 bytes of chance. */
export function uuidV7(now: number, bytes: Uint8Array): string {
  const octets = Uint8Array.from(bytes.subarray(0, 16));
  for (let index = 0; index < 6; index += 1) octets[index] = Math.floor(now / 2 ** (8 * (5 - index))) % 256;
  octets[6] = ((octets[6] ?? 0) & 0x0f) | 0x70;
  octets[8] = ((octets[8] ?? 0) & 0x3f) | 0x80;
  const digits = [...octets].map((octet) => octet.toString(16).padStart(2, '0')).join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
