// The protocol's version: raised when a message changes in a way that the older side would misread. Its history is in
// PROTOCOL.md; ranges are compared in the proof, before anything else is said.

import type { ProtocolRange } from '../core/message.ts';

export const protocolRange: ProtocolRange = { min: 1, max: 1 };
