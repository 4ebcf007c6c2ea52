// The Connection port over one WebSocket.

import type { WebSocket } from 'ws';
import { closingMs, frameBytesMax } from '../../core/limits.ts';
import type { Connection, Timers } from '../../ports.ts';
import type { ChannelFacts } from './channel.ts';
import { createDelivery } from './delivery.ts';

/** How both ends set up their WebSocket. Compression costs 25 times what it saves on a LAN. */
export const webSocketOptions = {
  perMessageDeflate: false,
  maxPayload: frameBytesMax,
  closeTimeout: closingMs,
} as const;

export type ConnectionFacts = ChannelFacts & Pick<Connection, 'dialedByUs' | 'address'>;

export function createConnection(webSocket: WebSocket, facts: ConnectionFacts, timers: Timers): Connection {
  const delivery = createDelivery(timers);
  let owesDrained = false;

  webSocket.on('message', (data: Buffer, isBinary) => delivery.frame(isBinary ? data : data.toString()));
  webSocket.on('error', (error) => delivery.end(errorReason(error)));
  webSocket.on('close', (code) => delivery.end(closeReason(code)));

  /** Once for all that was sent together, not for each frame. */
  const onSent = (): void => {
    if (!owesDrained || webSocket.bufferedAmount > 0) return;
    owesDrained = false;
    delivery.drained();
  };
  return {
    ...facts,
    listen: delivery.listen,
    send(frame) {
      if (delivery.hasEnded()) return;
      owesDrained = true;
      webSocket.send(frame, onSent);
    },
    bufferedBytes: () => (delivery.hasEnded() ? 0 : webSocket.bufferedAmount),
    close(reason) {
      delivery.dropFrames();
      // One that ended by itself is closing already, and may just be telling the peer why.
      if (delivery.hasEnded()) return;
      delivery.end(reason);
      webSocket.terminate();
    },
  };
}

/** Codes of the library and the system, never what the other end wrote: that goes to logs and pages. */
function errorReason(error: Error): string {
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return `a frame of more than ${frameBytesMax} bytes came`;
  if (code.startsWith('WS_ERR')) return `a malformed frame came (${code})`;
  return code ? `connection lost (${code})` : 'connection lost';
}

function closeReason(code: number): string {
  if (code === 1009) return 'the peer refused a frame as too large';
  if (code === 1006) return 'connection lost';
  return `the peer closed the connection (code ${code})`;
}
