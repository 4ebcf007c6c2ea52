// Several appliances become one shop, on the built file, as an installer does it at the console.

import { describe, expect, test } from 'vitest';
import { bun, node } from './built-file.ts';
import { bearer, codeOf, equal, newPlace, openShop, post } from './places.ts';
import { until } from './waiting.ts';

describe('an installer at the console', () => {
  test.each([node, bun].filter(({ isHere }) => isHere))(
    'B3 types a code on a second appliance ($name), which then holds the whole books',
    async (runtime) => {
      const { bar, cellar } = await openShop(runtime);
      await equal(bar, cellar);
      await cellar.sell('after');
      await until('sold at both', () => bar.hasTicket('after'));
      expect((await bar.status()).peers).toMatchObject([{ name: 'cellar', trust: 'trusted', state: 'connected' }]);
    },
  );

  test('types a code before the appliance was ever started', async () => {
    const [barPlace, cellarPlace] = [newPlace(), newPlace()];
    const bar = await barPlace.start('bar');
    await bar.sell('before');
    const free = ['--port', '0', '--mesh-port', '0', '--host', '127.0.0.1', '--no-mdns'];
    const joined = await cellarPlace.run('join', await codeOf(barPlace), '--peer', bar.mesh, ...free);
    expect(joined).toMatchObject({ code: 0, stderr: '' });
    expect(joined.stdout).toContain('Joined.');
    const cellar = await cellarPlace.start('cellar');
    await equal(bar, cellar);
  });

  test('compares six words, and approves', async () => {
    const [barPlace, cellarPlace] = [newPlace(), newPlace()];
    const [bar, cellar] = [await barPlace.start('bar'), await cellarPlace.start('cellar')];
    await bar.sell('before');
    const asking = cellarPlace.run('join', '--peer', bar.mesh);
    const { words } = await cellar.status();
    await until('Bar is asked', async () => (await bar.status()).alarms.some(({ code }) => code === 'approval_asked'));
    expect((await barPlace.run('status')).stdout).toContain(`asks to be let in; its words: ${words}`);
    expect(await barPlace.run('approve', words)).toMatchObject({ code: 0, stdout: 'cellar is approved.\n' });
    expect((await asking).stdout).toContain(`The words of that appliance are: ${(await bar.status()).words}`);
    await equal(bar, cellar);
  });

  test('is told what is wrong, and nothing is changed', async () => {
    const [barPlace, cellarPlace] = [newPlace(), newPlace()];
    const [bar, cellar] = [await barPlace.start('bar'), await cellarPlace.start('cellar')];
    const { shop } = await cellar.status();
    const wrong = await cellarPlace.run('join', '4F7K-2M9P-QR3T-8XVA', '--peer', bar.mesh);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain(`This code is not known at ${bar.mesh}`);
    expect((await cellarPlace.run('join', 'ABC')).stderr).toContain('A join code has 16 letters and digits');
    expect((await cellarPlace.run('join')).stderr).toContain('give a join code, or name the appliance');
    await cellar.sell('mine');
    const code = await codeOf(barPlace);
    const withBooks = await cellarPlace.run('join', code, '--peer', bar.mesh);
    expect(withBooks.stderr).toContain('has books of its own (0 products, 0 customers, 1 tickets');
    expect((await cellar.status()).shop).toBe(shop);
    expect(await cellarPlace.run('join', code, '--peer', bar.mesh, '--bring-books')).toMatchObject({ code: 0 });
    await until('it came along', () => bar.hasTicket('mine'));
    await equal(bar, cellar);
    expect((await cellar.status()).alarms).toEqual([]);
    expect((await barPlace.run('approve', 'nobody')).stderr).toContain('no appliance "nobody" was seen');
  });

  test('brings no books along where there is no more than a token', async () => {
    const [barPlace, cellarPlace] = [newPlace(), newPlace()];
    const bar = await barPlace.start('bar');
    await cellarPlace.start('cellar');
    await cellarPlace.run('token', 'admin');
    const joined = await cellarPlace.run('join', await codeOf(barPlace), '--peer', bar.mesh);
    expect(joined).toMatchObject({ code: 0, stderr: '' });
  });

  test('starts a member with another shop key, or with none, once the books hold a word', async () => {
    const place = newPlace(node, undefined, { TILLMESH_SHOP_KEY: 'k'.repeat(40) });
    const bar = await place.start('bar');
    const { shop } = await bar.status();
    await bar.sell('before');
    await bar.stop();
    for (const more of [{}, { TILLMESH_SHOP_KEY: 'l'.repeat(40) }] as Record<string, string>[]) {
      const again = await newPlace(node, place.data, more).start('bar');
      expect((await again.status()).shop).toBe(shop);
      await again.stop();
    }
  });

  test('B10 shuts out by its name an appliance that this one never met, and of two with one name either', async () => {
    const { places, bar, cellar } = await openShop();
    const [thiefPlace, atticPlace] = [newPlace(), newPlace()];
    const thief = await thiefPlace.start('cellar');
    await thiefPlace.run('join', await codeOf(places.bar), '--peer', bar.mesh);
    const { replicaId } = await thief.status();
    await thief.stop();
    const attic = await atticPlace.start('attic');
    await atticPlace.run('join', await codeOf(places.bar), '--peer', bar.mesh);
    await equal(bar, cellar, attic);
    expect((await atticPlace.run('revoke', 'cellar')).stderr).toContain('name it by its id');
    expect((await atticPlace.run('status')).stdout).toContain(`cellar (${replicaId})`);
    expect(await atticPlace.run('revoke', replicaId)).toMatchObject({ code: 0 });
    await until('known at Bar', async () =>
      (await bar.status()).peers.some(({ id, trust }) => id === replicaId && trust === 'revoked'),
    );
  });

  test('B10 shuts a stolen appliance out of the whole shop from any other', async () => {
    const { places, bar, cellar } = await openShop();
    const atticPlace = newPlace();
    const attic = await atticPlace.start('attic');
    expect(await atticPlace.run('join', await codeOf(places.cellar), '--peer', cellar.mesh)).toMatchObject({ code: 0 });
    await until('all linked', async () => (await bar.status()).connected + (await attic.status()).connected === 4);
    expect(await places.bar.run('revoke', 'attic')).toMatchObject({ code: 0 });
    await until('cut off', async () => (await attic.status()).connected === 0);
    await until('known at Cellar', async () =>
      (await cellar.status()).peers.some(({ name, trust }) => name === 'attic' && trust === 'revoked'),
    );
    await bar.sell('secret');
    await equal(bar, cellar);
    await attic.stop();
    const again = await atticPlace.start('attic', '--peer', bar.mesh);
    await until('it knocks', async () => (await bar.status()).alarms.some(({ code }) => code === 'revoked_peer'));
    expect(await again.hasTicket('secret')).toBe(false);
  });
});

describe('at once', () => {
  test('two of a shop answer a newcomer with the shop key: it joins and runs', async () => {
    const { places, bar, cellar } = await openShop();
    const answer = await fetch(`${bar.url}/api/v1/shop-key`, { method: 'POST', headers: bearer });
    const { key } = (await answer.json()) as { key: string };
    expect((await places.bar.run('shop-key')).stdout).toBe(`${key}\n`);
    await until('the key is known at Cellar', async () => (await places.cellar.run('shop-key')).stdout === `${key}\n`);
    const attic = await newPlace(node, undefined, { TILLMESH_SHOP_KEY: key }).start(
      'attic',
      '--peer',
      bar.mesh,
      '--peer',
      cellar.mesh,
    );
    await equal(bar, cellar, attic);
  });

  test('two that are set up with the shop key, and meet each other first, come to the shop that has it', async () => {
    const bar = await newPlace().start('bar');
    await bar.sell('before');
    const { key } = (await (await post(bar, '/api/v1/shop-key', {})).json()) as { key: string };
    const more = { TILLMESH_SHOP_KEY: key };
    const cellar = await newPlace(node, undefined, more).start('cellar');
    const attic = await newPlace(node, undefined, more).start('attic', '--peer', cellar.mesh);
    await until('the two are linked', async () => (await cellar.status()).connected === 1);
    for (const one of [cellar, attic]) await post(one, '/api/v1/peers', { address: bar.mesh });
    await equal(bar, cellar, attic);
  });

  test('two requests for a new identity leave one appliance that runs', async () => {
    const bar = await newPlace().start('bar');
    const before = (await bar.status()).replicaId;
    const renew = async () => {
      const response = await fetch(`${bar.url}/api/v1/identity/renew`, { method: 'POST', headers: bearer });
      return response.status;
    };
    expect((await Promise.all([renew(), renew()])).sort()).toEqual([202, 503]);
    await until('another one', async () => (await bar.status()).replicaId !== before);
    await bar.sell('after');
  });

  test('a stranger that calls itself by the words of another is not approved in its place', async () => {
    const [barPlace, wantedPlace] = [newPlace(), newPlace()];
    const [bar, wanted] = [await barPlace.start('bar'), await wantedPlace.start('wanted')];
    const { words } = await wanted.status();
    const evil = await newPlace().start(words, '--peer', bar.mesh);
    const { replicaId } = await evil.status();
    const ofEvil = async () => (await bar.status()).peers.find(({ id }) => id === replicaId);
    const { replicaId: barId } = await bar.status();
    await until('seen', async () => (await evil.status()).peers.some(({ id }) => id === barId));
    await post(evil, '/api/v1/join', { peer: barId });
    await until('it asks', async () => (await ofEvil())?.name === words);
    expect(await barPlace.run('approve', words)).toMatchObject({ code: 1 });
    expect((await ofEvil())?.trust).toBe('pending');
  });
});
