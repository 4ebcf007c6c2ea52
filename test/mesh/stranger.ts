// A peer written by hand: it speaks the protocol as far as a test tells it to, and otherwise does what it should not.
// It keeps no books, and answers nothing by itself but a ping.

import { connect, type TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { Heads } from '../../src/core/heads.ts';
import type { Message, ProtocolRange } from '../../src/core/message.ts';
import { channelFactsOf, channelOptions, meshPath, meshProtocol } from '../../src/edges/peer/channel.ts';
import { createSystemCrypto } from '../../src/edges/system.ts';
import { type Claim, proofText } from '../../src/mesh/trust/proof.ts';
import { type CommitsFrame, decodeCommitsFrame } from '../../src/protocol/frames.ts';
import { makeSomeone, type Someone } from '../edges/peer-pair.ts';
import { until } from '../waiting.ts';
import { shopId, shopKey, type TestAppliance } from './appliances.ts';

export type Stranger = {
  readonly id: string;
  readonly who: Someone;
  readonly socket: TLSSocket;
  /** Everything that was told to it. */
  readonly messages: Message[];
  readonly frames: CommitsFrame[];
  isClosed(): boolean;
  closes(): Promise<void>;
  /** A message as JSON, or a frame as it is. */
  send(frame: string | Uint8Array | Record<string, unknown>): void;
  proof(options?: ProofOptions): string;
  prove(options?: ProofOptions): void;
  /** HELLO with these heads, and waits for the answer. */
  greet(more?: Record<string, unknown>): Promise<void>;
  /** The first message of a type that comes, or came. */
  hears<Type extends Message['type']>(type: Type): Promise<Extract<Message, { type: Type }>>;
};

type ProofOptions = {
  key?: Uint8Array;
  channelBinding?: Uint8Array;
  protocol?: ProtocolRange;
  role?: 'dialer' | 'listener';
  what?: Claim['what'];
  shop?: string;
  /** Members of the message beside the proof. */
  more?: Record<string, unknown>;
};

/** Dials an appliance's mesh port; nothing is said yet. */
export async function callOn(target: TestAppliance, by?: Someone, address = target.address): Promise<Stranger> {
  const who = by ?? (await makeSomeone());
  const [host = '', port] = address.split(':');
  const socket = connect({ ...channelOptions(who.credentials), host, port: Number(port), servername: '' });
  const webSocket = new WebSocket(`wss://${meshProtocol}${meshPath}`, meshProtocol, {
    createConnection: () => socket,
    perMessageDeflate: false,
  });
  const messages: Message[] = [];
  const frames: CommitsFrame[] = [];
  let isClosed = false;
  webSocket.on('message', (data: Buffer, isBinary) => {
    if (!isBinary) return hear(JSON.parse(data.toString()) as Message);
    const frame = decodeCommitsFrame(data);
    if (frame) frames.push(frame);
  });
  const hear = (message: Message): void => {
    messages.push(message);
    if (message.type === 'ping') send({ type: 'pong', at: message.at, echo: message.at, heads: 'mine', books: 'mine' });
  };
  webSocket.on('error', () => {});
  webSocket.on('close', () => {
    isClosed = true;
  });
  onTestFinished(() => webSocket.terminate());
  await new Promise((resolve, reject) => webSocket.once('open', resolve).once('error', reject));
  const facts = channelFactsOf(socket);
  if (!facts) throw new Error('no channel');
  const proof = (options: ProofOptions = {}): string =>
    proofText(
      createSystemCrypto(),
      options.key ?? shopKey,
      { channelBinding: options.channelBinding ?? facts.channelBinding },
      {
        what: options.what ?? 'shop_key',
        role: options.role ?? 'dialer',
        key: who.publicKey,
        otherKey: facts.peerKey,
        protocol: options.protocol ?? { min: 1, max: 1 },
        shop: options.shop ?? shopId,
      },
    );
  const hears = async <Type extends Message['type']>(type: Type): Promise<Extract<Message, { type: Type }>> => {
    const find = () => messages.find((message) => message.type === type);
    await until(`a ${type} from ${target.name}`, () => find() !== undefined);
    return find() as Extract<Message, { type: Type }>;
  };
  const send: Stranger['send'] = (frame) =>
    webSocket.send(typeof frame === 'string' || frame instanceof Uint8Array ? frame : JSON.stringify(frame));
  return {
    id: who.replicaId,
    who,
    socket,
    messages,
    frames,
    isClosed: () => isClosed,
    closes: () => until(`${target.name} closes`, () => isClosed),
    send,
    proof,
    prove(options = {}) {
      const { protocol = { min: 1, max: 1 }, shop = shopId, more = {} } = options;
      send({ type: 'proof', protocol, shop, instance: 'by hand', proof: proof(options), ...more });
    },
    async greet(more = {}) {
      await hears('proof');
      send({ ...hello(who.replicaId), ...more });
      await hears('hello_ack');
    },
    hears,
  };
}

export const hello = (id: string, heads: Heads = {}) => ({
  type: 'hello',
  id,
  name: 'stranger',
  version: '0.0.0-hand',
  shop: shopId,
  meshPort: 0,
  heads,
  hashes: {},
});

/** A peer that has proved the shop key and greeted: trusted, from here on it does what the test says. */
export async function enter(
  target: TestAppliance,
  options: { by?: Someone; heads?: Heads; hashes?: Record<string, string> } = {},
): Promise<Stranger> {
  const stranger = await callOn(target, options.by);
  stranger.prove();
  await stranger.greet({ heads: options.heads ?? {}, hashes: options.hashes ?? {} });
  return stranger;
}
