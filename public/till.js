// A till to try, and the example to start your own from: it is made of /client.js and plain DOM, nothing else. The client
// finds the appliances, keeps the sales that are not sent yet and sends them; this file is what a person sees of it.
// Text that comes from outside is set as text, never as HTML.

import { getConnectionManager } from '/client.js';
import { amountOf, decimal, isLikeBarcode, minorUnits, money, totalOf } from '/till-money.js';
import { language, text } from '/till-texts.js';

// 1. The connection. One call; the page was served by an appliance, so no address is needed.

/** The connection to the shop; null until somebody has entered the till's token. */
let manager = null;
let unsubscribes = [];

function connect(token) {
  // With sections of the books as topics we are told of changes in these, and of no others.
  manager = getConnectionManager({ token, topics: ['stock', 'products'] });
  unsubscribes = [manager.onState(showState), manager.onMessage(hear), manager.onOutbox(showOutcome)];
  manager.connect();
}

function disconnect() {
  // What was not sent yet stays in the outbox, and goes when somebody connects here again.
  manager.close();
  for (const unsubscribe of unsubscribes) unsubscribe();
}

/** Called at once, and whenever something changes. */
function showState({ state, transport, appliance, isAway, pending, isOutboxDurable, trouble }) {
  // What we showed before may be old: changes are told from the moment on at which we are connected.
  if (state === 'online' && byId('state').dataset.state !== 'online') readAnew();
  const place = appliance === null ? '' : new URL(appliance).host;
  Object.assign(byId('state').dataset, { state, transport: transport ?? '', appliance: appliance ?? '', away: isAway });
  say('state', text.state[state]({ place, isAway, how: text.transport[transport] ?? '' }));
  byId('pending').dataset.count = pending;
  say('pending', text.pending(pending));
  // The most urgent one, as a sentence of the client's own.
  say('trouble', isOutboxDurable && trouble ? trouble : '');
  say('not-durable', isOutboxDurable ? '' : text.notDurable);
  showRejected();
}

/** What the appliances tell, as it happens. */
function hear(message) {
  if (message.type === 'resync' && message.lost === 'data') return readAnew();
  if (message.type !== 'data.updated') return;
  const { section, id, kind, data } = message.payload;
  if (section === 'stock' && kind !== 'deleted') showLevel(id, data.onHand);
  // It may have other barcodes now, or be sold no more: the next scan asks. What we were told is for when nobody answers.
  if (section === 'products') doubt(id, kind === 'deleted' ? null : data);
}

// 2. Selling. A sale is never refused here: not for a product that nobody knows, and not while no appliance answers.

async function sell() {
  if (basket.length === 0 || !byId('basket-form').reportValidity()) return;
  const count = Number(localStorage.getItem('till.count') ?? 0) + 1;
  const ticket = ticketOf(basket, `T-${String(count).padStart(6, '0')}`);
  const what = `${ticket.number} · ${money(ticket.total, ticket.currency)}`;
  try {
    // Resolves when the sale is written on this device: from then on it is sent, in order, until an appliance has it.
    const { id } = await manager.sell(ticket);
    lastSale = { id, what, kept: outcomes.get(id) ?? 'till' };
    basket.splice(0);
  } catch (error) {
    // It is nowhere: the goods stay on the counter, and in the basket.
    lastSale = { id: '', what: `${what} (${error.message})`, kept: 'nowhere' };
  }
  showLastSale();
  showBasket();
  byId('barcode').focus();
  // On disk some seconds later: after a power cut a number may come twice, and is flagged then. Both sales count, because
  // what tells them apart is their id.
  if (lastSale.kept !== 'nowhere') localStorage.setItem('till.count', count);
}

/** As POST /api/v1/tickets takes it. The client adds its id and the time, so that it counts once however often it is sent. */
const ticketOf = (lines, number) => ({
  number,
  currency: lines[0].currency,
  lines: lines.map(({ productId, barcode, name, quantity, unitPrice }) => ({
    ...(productId && { productId }),
    barcode,
    name,
    quantity,
    unitPrice,
    total: amountOf({ quantity, unitPrice }),
  })),
  payments: [{ method: 'cash', amount: totalOf(lines) }],
  total: totalOf(lines),
});

let lastSale = null;
/** What became of the last few tickets: an appliance may have confirmed one before `sell` was back. */
const outcomes = new Map();

/** An appliance has a ticket on its disk, or has refused it. */
function showOutcome(event) {
  const [id, kept] = event.kind === 'stored' ? [event.id, 'appliance'] : [event.rejected.ticket.id, 'refused'];
  outcomes.set(id, kept);
  if (outcomes.size > 100) outcomes.delete(outcomes.keys().next().value);
  if (lastSale?.id === id) lastSale.kept = kept;
  showLastSale();
}

function showLastSale() {
  if (lastSale === null) return;
  Object.assign(byId('last-sale').dataset, { sale: lastSale.id, kept: lastSale.kept });
  say('last-sale', `${lastSale.what} – ${text.kept[lastSale.kept]}`);
}

/** Tickets that an appliance refused hold up no others; they wait here for a person. */
function showRejected() {
  const tickets = manager.rejected();
  const key = tickets.map(({ ticket, rejectedAt }) => `${ticket.id} ${rejectedAt}`).join();
  // Drawn anew only when it differs.
  if (key === byId('rejected').dataset.key) return;
  byId('rejected').dataset.key = key;
  const button = document.activeElement?.closest('#rejected button');
  const [before, rows] = [[...byId('rejected').children], tickets.map(rejectedRow)];
  byId('rejected').replaceChildren(...rows);
  if (button) {
    // Whoever is on a button stays on that of the same sale; when it is gone, of the next one.
    const left = button.closest('li');
    const row = rows.find(({ dataset }) => dataset.ticket === left.dataset.ticket) ?? rows[before.indexOf(left)];
    (row?.querySelector(`.${button.className}`) ?? byId('barcode')).focus();
  }
  byId('refused').hidden = tickets.length === 0;
}

function rejectedRow({ ticket, code, detail, isFinal }) {
  const row = fromTemplate('rejected-ticket');
  row.dataset.ticket = ticket.id;
  row.dataset.code = code;
  row.querySelector('.what').textContent = ticket.number ?? ticket.id;
  nameEach(row.querySelectorAll('button'), ticket.number ?? ticket.id);
  row.querySelector('.why').textContent = isFinal ? detail : `${detail} ${text.sentByItself}`;
  row.querySelector('.retry').addEventListener('click', () => manager.retry(ticket.id));
  row.querySelector('.discard').addEventListener('click', () => {
    if (confirm(text.discardSure)) manager.discard(ticket.id);
  });
  return row;
}

// 3. Scanning.

/** By barcode, `{product, isCurrent}`: for when no appliance answers, and to ask no more than needed. */
const products = new Map();
let doubtCount = 0;
const basket = [];
let lastCurrency = 'EUR';

async function scan(barcode) {
  const product = await productOf(barcode);
  lastCurrency = basket[0]?.currency ?? product?.currency ?? lastCurrency;
  const line = basket.find((one) => one.barcode === barcode);
  // In thousandths, or 1.005 and 1 are 2.0049999999999994.
  if (line) line.row.querySelector('.quantity').value = line.quantity = Math.round(line.quantity * 1000 + 1000) / 1000;
  else basket.push(newLine(barcode, product));
  showBasket();
  // Without a price the person has to type one: the way there should be short.
  const unpriced = basket.find(({ unitPrice }) => unitPrice === null)?.row.querySelector('.price');
  unpriced?.focus();
  unpriced?.select();
  if (product) showStockOf(product);
}

/** Null for what nobody knows. What we have is current until a `data.updated` or a `resync` casts doubt on it. */
async function productOf(barcode) {
  if (products.get(barcode)?.isCurrent) return products.get(barcode).product;
  const countBefore = doubtCount;
  const answer = await ask(`/api/v1/products?barcode=${encodeURIComponent(barcode)}`);
  if (answer === null) return products.get(barcode)?.product ?? null;
  const product = answer.data.find(({ archived }) => !archived) ?? null;
  // What is unknown is asked for again next time: somebody may make it. So is what was doubted while we asked.
  products.set(barcode, { product, isCurrent: product !== null && doubtCount === countBefore });
  return product;
}

/** Of one product, of which we may have been told how it is now; or of all of them. */
function doubt(id = null, told = null) {
  doubtCount++;
  for (const known of products.values())
    if (id === null || known.product?.id === id)
      Object.assign(known, { isCurrent: false, product: told ?? known.product });
}

/** A product in another currency than the rest of the basket has no price there: it is typed, as for an unknown one. */
const newLine = (barcode, product) => ({
  barcode,
  productId: product?.id,
  name: product?.name ?? product?.sku ?? barcode,
  isKnown: product !== null,
  quantity: 1,
  unitPrice: product?.currency === lastCurrency ? (product.price ?? null) : null,
  currency: lastCurrency,
  row: null,
});

/** What an appliance answers; null when it knows nothing, or none answers in three seconds: a customer is waiting. */
async function ask(path) {
  if (manager.state().state === 'offline') return null;
  try {
    const response = await manager.fetch(path, { signal: AbortSignal.timeout(3000) });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

// 4. The stock of what was scanned, live.

const stockRowsMax = 8;
/** By product. */
const stockRows = new Map();

function showStockOf({ id, name }) {
  const row = stockRows.get(id) ?? fromTemplate('stock-level');
  row.querySelector('.name').textContent = name ?? id;
  row.querySelector('.on-hand').dataset.stockOf = id;
  byId('stock').prepend(row);
  byId('stock-empty').hidden = true;
  if (!stockRows.has(id)) {
    stockRows.set(id, row);
    readLevel(id);
  }
  if (stockRows.size <= stockRowsMax) return;
  const oldest = byId('stock').lastElementChild;
  oldest.remove();
  stockRows.delete(oldest.querySelector('.on-hand').dataset.stockOf);
}

async function readLevel(id) {
  const row = stockRows.get(id);
  const told = row.dataset.told;
  const level = await ask(`/api/v1/stock/${encodeURIComponent(id)}`);
  // What was told while we asked is newer than the answer.
  if (level && row.dataset.told === told) showLevel(id, level.onHand);
}

function showLevel(id, onHand) {
  const row = stockRows.get(id);
  if (!row) return;
  row.dataset.told = Number(row.dataset.told ?? 0) + 1;
  row.querySelector('.on-hand').textContent = new Intl.NumberFormat(language).format(onHand);
}

/** Some changes will not be told to us: we look at how things are now. */
function readAnew() {
  doubt();
  for (const id of stockRows.keys()) readLevel(id);
}

// 5. The basket on the page.

function showBasket() {
  for (const line of basket) line.row ??= newRow(line);
  byId('basket').replaceChildren(...basket.map(({ row }) => row));
  byId('basket-empty').hidden = basket.length > 0;
  showFigures();
}

function newRow(line) {
  const row = fromTemplate('basket-line');
  row.querySelector('.name').textContent = line.isKnown ? line.name : text.unknown(line.barcode);
  const price = row.querySelector('.price');
  nameEach(row.querySelectorAll('input, button'), line.name);
  price.value = line.unitPrice === null ? '' : decimal(line.unitPrice, line.currency);
  price.addEventListener('input', () => {
    line.unitPrice = minorUnits(price.value, line.currency);
    const wrong = isLikeBarcode(price.value) ? text.priceIsLikeBarcode : text.priceMalformed;
    price.setCustomValidity(line.unitPrice === null ? wrong : '');
    showFigures();
  });
  const quantity = row.querySelector('.quantity');
  quantity.value = line.quantity;
  quantity.addEventListener('input', () => {
    line.quantity = quantity.valueAsNumber || 0;
    showFigures();
  });
  row.querySelector('.remove').addEventListener('click', () => {
    basket.splice(basket.indexOf(line), 1);
    showBasket();
    byId('barcode').focus();
  });
  return row;
}

function showFigures() {
  for (const line of basket) line.row.querySelector('.amount').textContent = money(amountOf(line), line.currency);
  byId('total').textContent = money(totalOf(basket), basket[0]?.currency ?? lastCurrency);
}

// 6. The page itself.

const byId = (id) => document.getElementById(id);

/** Only when it differs: screen readers say aloud what is set. */
function say(id, words) {
  if (byId(id).textContent !== words) byId(id).textContent = words;
}

/** Each row has the same fields and buttons: who does not see the page hears of what. */
function nameEach(elements, what) {
  for (const element of elements)
    element.setAttribute('aria-label', `${(element.closest('label') ?? element).textContent.trim()}: ${what}`);
}

const fromTemplate = (id) => byId(id).content.firstElementChild.cloneNode(true);

function translate() {
  document.documentElement.lang = language;
  document.title = text.till ?? document.title;
  const templates = [...document.querySelectorAll('template')].map(({ content }) => content);
  for (const root of [document, ...templates])
    for (const element of root.querySelectorAll('[data-text]'))
      element.textContent = text[element.dataset.text] ?? element.textContent;
}

function begin(token) {
  byId('token-form').hidden = token !== null;
  byId('counter').hidden = token === null;
  if (token === null) return byId('token').focus();
  connect(token);
  byId('barcode').focus();
}

byId('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  localStorage.setItem('till.token', byId('token').value.trim());
  byId('token').value = '';
  begin(localStorage.getItem('till.token'));
});
byId('forget-token').addEventListener('click', () => {
  if (!confirm(text.forgetSure(manager.pending()))) return;
  disconnect();
  localStorage.removeItem('till.token');
  begin(null);
});

/** What a person does is done in that order: a scanner is quicker than the network, and so is a thumb on "Sell". */
let turn = Promise.resolve();
const inTurn = (act) => {
  turn = turn.then(act).catch(console.error);
};
function scanTyped() {
  const barcode = byId('barcode').value.trim();
  byId('barcode').value = '';
  if (barcode !== '') inTurn(() => scan(barcode));
}
function sellAll() {
  // A barcode without its Enter lies on the counter, too.
  scanTyped();
  inTurn(sell);
}
byId('scan').addEventListener('submit', (event) => {
  event.preventDefault();
  scanTyped();
});
byId('basket').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.ctrlKey || !event.target.matches('input')) return;
  // Back to the scanner: it does not sell. The rest of the key stroke must not arrive there.
  event.preventDefault();
  if (event.target.reportValidity()) byId('barcode').focus();
});
// What is refused is typed over, or it would be the beginning of what is typed next.
byId('basket').addEventListener('invalid', (event) => event.target.select(), true);
byId('sell').addEventListener('click', sellAll);
addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || !event.ctrlKey || byId('counter').hidden) return;
  event.preventDefault();
  sellAll();
});

translate();
showBasket();
begin(localStorage.getItem('till.token'));
