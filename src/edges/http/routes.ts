// All routes, on one page. A new one shows here as a line, in the document by itself, and is closed unless it says
// otherwise (`access`).

import { aboutRoutes } from './actions/about.ts';
import { changeRoutes } from './actions/changes.ts';
import { conflictRoutes } from './actions/conflicts.ts';
import { gossipRoutes } from './actions/gossip.ts';
import { joiningRoutes } from './actions/joining.ts';
import { liveRoutes } from './actions/live.ts';
import { meshRoutes } from './actions/mesh.ts';
import { peerRoutes } from './actions/peers.ts';
import { recordRoutes } from './actions/records.ts';
import { sessionRoutes } from './actions/session.ts';
import { stockRoutes } from './actions/stock.ts';
import { terminalRoutes } from './actions/terminals.ts';
import { ticketRoutes } from './actions/tickets.ts';
import { userRoutes } from './actions/users.ts';
import type { Route } from './route.ts';

export const routes: readonly Route[] = [
  ...recordRoutes, // /api/v1/products, /api/v1/customers
  ...stockRoutes, // /api/v1/stock, /api/v1/stock/movements
  ...ticketRoutes, // /api/v1/tickets
  ...changeRoutes, // /api/v1/changes, /api/v1/digest
  ...terminalRoutes, // /api/v1/terminals
  ...liveRoutes, // /ws, /api/sync, /api/v1/appliances
  ...sessionRoutes, // /api/v1/session, /api/v1/password, /api/v1/claim
  ...userRoutes, // /api/v1/users, /api/v1/admin-token
  ...meshRoutes, // /api/v1/p2p, /api/v1/sync/history
  ...peerRoutes, // /api/v1/peers
  ...joiningRoutes, // /api/v1/join-codes, /api/v1/join, /api/v1/shop-key, /api/v1/identity
  ...conflictRoutes, // /api/v1/conflicts
  ...gossipRoutes, // /api/v1/gossip
  ...aboutRoutes, // /healthz, /readyz, /version, /openapi.json, /certificate.pem, /
];

/** Open to everybody, exactly as written here; the page's files come to it. All else asks for a credential. */
const publicRoutes: ReadonlySet<string> = new Set([
  ...routes.filter(({ access }) => access === 'public').map(({ method, path }) => `${method.toUpperCase()} ${path}`),
  'GET /client.js',
]);

export const isPublicRoute = (method: string, path: string): boolean =>
  publicRoutes.has(`${method === 'HEAD' ? 'GET' : method} ${path}`);

/** Methods that an address takes, for those that it does not; empty when there is nothing at it. */
export function methodsAt(path: string): string[] {
  const parts = path.split('/');
  const methods = routes.filter((route) => isSamePath(route.path.split('/'), parts)).map((route) => route.method);
  const all = methods.map((method) => method.toUpperCase());
  return all.includes('GET') ? [...all, 'HEAD'] : all;
}

const isSamePath = (pattern: readonly string[], parts: readonly string[]): boolean =>
  pattern.length === parts.length &&
  pattern.every((part, index) => (part.startsWith('{') ? parts[index] !== '' : part === parts[index]));
