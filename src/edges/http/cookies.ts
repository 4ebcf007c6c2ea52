// The session's cookie. Its name holds the appliance, because cookies of one machine are shared between its ports; over
// TLS it has a name that nothing on the plain port can set (RFC 6265bis, __Host-).

import { sessionMs } from '../../core/limits.ts';

export type Cookies = {
  /** The id in a Cookie header; undefined where there is none. */
  read(header: string | null, isTls: boolean): string | undefined;
  /** The Set-Cookie header that hands the id out; null takes it away. */
  write(id: string | null, isTls: boolean): string;
};

export function createCookies(replicaId: string): Cookies {
  const plain = `tillmesh_${replicaId.slice(0, 8)}`;
  const nameOver = (isTls: boolean): string => (isTls ? `__Host-${plain}` : plain);
  return {
    read(header, isTls) {
      if (header === null) return undefined;
      const start = `${nameOver(isTls)}=`;
      const found = header.split(';').find((pair) => pair.trimStart().startsWith(start));
      return found?.trim().slice(start.length) || undefined;
    },
    write(id, isTls) {
      const life = id === null ? 0 : sessionMs / 1000;
      const secure = isTls ? '; Secure' : '';
      return `${nameOver(isTls)}=${id ?? ''}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${life}${secure}`;
    },
  };
}
