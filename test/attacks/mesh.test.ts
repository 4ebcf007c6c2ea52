// What a guest of the network tries at the mesh port, and what an admin's page could be made to reach through the
// appliance. On the built file, on both runtimes; how links themselves are attacked is in test/mesh.

import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { createServer as createTlsServer, connect as tlsConnect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { makeSomeone } from '../edges/peer-pair.ts';
import { until } from '../waiting.ts';
import { admin, ask, runtimes, startTarget, type Target } from './target.ts';

const banner = 'the-banner-of-something-else';

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** Who may stand at an address: nobody, one that says nothing, a web server, one that speaks first, another's TLS. */
async function strangersAtPorts(): Promise<Record<string, number>> {
  const closed = createServer();
  const nobody = await portOf(closed);
  await new Promise((resolve) => closed.close(resolve));
  const someone = await makeSomeone();
  const { privateKeyPem: key, certificatePem: cert } = someone.credentials;
  return {
    nobody,
    silent: await portOf(createServer((socket) => void socket.on('error', () => {}))),
    web: await portOf(createHttpServer((_request, response) => void response.end(banner))),
    talker: await portOf(createServer((socket) => void socket.on('error', () => {}).write(`${banner}\r\n`))),
    tls: await portOf(createTlsServer({ key, cert }, (socket) => void socket.on('error', () => {}).end(banner))),
  };
}

describe.each(runtimes)('on $name', (runtime) => {
  let target: Target;
  beforeAll(async () => {
    target = await startTarget(runtime);
  });
  afterAll(async () => target?.stop());

  const peerAt = async (address: string) => {
    const { json } = await ask(target, '/api/v1/p2p/status', admin());
    return json.peers.find((peer: { address: string }) => peer.address === address);
  };

  test('F6 a peer added at any address is answered the same, whatever is there, and nothing that is there is repeated', async () => {
    const ports = await strangersAtPorts();
    const answers = [];
    for (const port of Object.values(ports)) {
      const address = `127.0.0.1:${port}`;
      const { status, json } = await ask(target, '/api/v1/peers', admin({ address }));
      answers.push({ status, json: { ...json, address: 'there' } });
      await until(`${address} was tried`, async () => (await peerAt(address)).lastError !== null);
      expect((await peerAt(address)).id).toBeNull();
    }
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]?.status).toBe(201);
    const { text } = await ask(target, '/api/v1/p2p/status', admin());
    expect(text + target.log()).not.toContain(banner);
  });

  test('F6 link-local addresses and those of everybody are refused', async () => {
    for (const address of [
      '169.254.169.254:80',
      '[fe80::1]:3031',
      '[::ffff:169.254.1.1]:80',
      '0.0.0.0:3031',
      '[ff02::1]:1',
    ])
      expect([address, (await ask(target, '/api/v1/peers', admin({ address }))).json.code]).toEqual([
        address,
        'address_refused',
      ]);
  });

  test('C1 TLS without a certificate gets the pages, and no link', async () => {
    const socket = tlsConnect({ port: target.meshPort, host: '127.0.0.1', rejectUnauthorized: false });
    let heard = '';
    socket.on('data', (bytes) => {
      heard += bytes.toString();
    });
    const closed = new Promise((resolve) => socket.once('close', resolve).on('error', resolve));
    const upgrade =
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: tillmesh';
    socket.write(
      `GET /mesh HTTP/1.1\r\nHost: localhost\r\n${upgrade}\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n\r\n`,
    );
    await closed;
    expect(heard.split('\r\n')[0]).toBe('HTTP/1.1 403 Forbidden');
  });
});
