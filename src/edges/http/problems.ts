// What can go wrong, in one table: code → HTTP status → a sentence a shopkeeper understands. The code is stable; the
// detail of each case says what to do. Nothing of the inside (paths, SQL, stacks) is in an answer: what goes wrong inside
// is told in the table's words, and the log has the rest.

import type { Failure } from '../../core/command.ts';
import type { JsonObject } from '../../core/json.ts';

type Problem = {
  readonly status: number;
  readonly title: string /** Said instead of the failure's own. */;
  detail?: string;
};

const retrySoon = 'Send it again in a moment, with the same id: what was written is never written twice.';

export const problems = {
  // The message
  not_json: { status: 400, title: 'The message is not JSON.' },
  not_utf8: { status: 400, title: 'The message is not text in UTF-8.' },
  too_deep: { status: 400, title: 'The message is nested too deeply.' },
  member_repeated: { status: 400, title: 'The message says the same thing twice.' },
  member_forbidden: { status: 400, title: 'The message uses a forbidden name.' },
  number_not_exact: { status: 400, title: 'A number cannot be kept exactly.' },
  text_not_exact: { status: 400, title: 'A text cannot be kept exactly.' },
  body_incomplete: { status: 400, title: 'The message ended too early.' },
  malformed: { status: 400, title: 'Something in the message is not as it must be.' },
  query_malformed: { status: 400, title: 'Something in the address is not as it must be.' },
  header_malformed: { status: 400, title: 'A header is not as it must be.' },
  id_malformed: { status: 400, title: 'The id has characters that ids do not have.' },
  id_differs: { status: 400, title: 'The id in the message is not the one in the address.' },
  too_many_members: { status: 422, title: 'This has more members than a record can have.' },
  id_reserved: { status: 400, title: 'This id is reserved.' },
  quantity_missing: { status: 400, title: 'How many is missing.' },
  cursor_malformed: { status: 400, title: 'This is not a place in a list.' },
  cursor_of_another_list: { status: 400, title: 'This place is in another list.' },
  cursor_of_another_shop: { status: 400, title: 'This place is in the books of another shop.' },
  cursor_of_another_appliance: { status: 400, title: 'This place is in the list of another appliance.' },
  type_reserved: { status: 400, title: 'This may not be said by everybody.' },
  payload_too_large: { status: 413, title: 'The message holds too much.' },
  upgrade_required: { status: 426, title: 'This address speaks WebSocket.' },
  address_malformed: { status: 400, title: 'This is not the address of an appliance.' },
  request_malformed: { status: 400, title: 'The request is not as HTTP has it.' },
  body_too_large: { status: 413, title: 'The message is too large.' },
  media_type_unsupported: { status: 415, title: 'The message is not sent as JSON.' },
  encoding_unsupported: { status: 415, title: 'Compressed messages are not read.' },
  // The caller
  credential_missing: { status: 401, title: 'Nobody is named who asks.' },
  credential_unknown: { status: 401, title: 'Who asks is not known here, or no longer.' },
  credential_changed: { status: 401, title: 'Who asks is somebody else by now, or may do something else.' },
  session_ended: { status: 401, title: 'Who asks is no longer logged in.' },
  login_failed: { status: 401, title: 'The name or the password is not right.' },
  claim_code_wrong: { status: 401, title: 'This is not the claim code.' },
  admin_only: { status: 403, title: 'Only an admin may do this.' },
  read_only: { status: 403, title: 'Who asks may look, and change nothing.' },
  csrf_token_wrong: { status: 403, title: 'The request does not show that it comes from our page.' },
  origin_foreign: { status: 403, title: 'The request comes from the page of somebody else.' },
  https_only: { status: 403, title: 'This appliance is to be used over HTTPS.' },
  password_wrong: { status: 403, title: 'The current password is not right.' },
  no_password: { status: 422, title: 'A token has no password.' },
  rate_limited: { status: 429, title: 'Too many requests came in a short time.' },
  // What is asked for
  not_found: { status: 404, title: 'This is not in the books.' },
  record_deleted: { status: 404, title: 'This was deleted.' },
  route_unknown: { status: 404, title: 'There is nothing at this address.' },
  method_not_allowed: { status: 405, title: 'This cannot be done here.' },
  record_exists: { status: 409, title: 'This id is taken.' },
  terminal_exists: { status: 409, title: 'This terminal is there already.' },
  user_exists: { status: 409, title: 'This name is taken.' },
  too_many_users: { status: 409, title: 'There are too many users already.' },
  last_admin: { status: 409, title: 'The last admin cannot be removed.' },
  claimed_already: { status: 409, title: 'This shop has an admin already.' },
  password_changed: { status: 409, title: 'The password was changed meanwhile.' },
  ticket_differs: { status: 409, title: 'Another ticket has this id.' },
  movement_differs: { status: 409, title: 'Another movement has this id.' },
  conflict_resolved: { status: 409, title: 'This conflict is settled already.' },
  resync: { status: 410, title: 'This place in the feed is gone.' },
  version_differs: { status: 412, title: 'Someone changed this meanwhile.' },
  version_exists: { status: 412, title: 'This is there already.' },
  peer_unreachable: { status: 409, title: 'This peer cannot be reached now.' },
  too_many_peers: { status: 409, title: 'There are too many peers already.' },
  address_refused: { status: 422, title: 'This address is not dialed.' },
  // Joining
  has_own_books: { status: 409, title: 'This appliance has books of its own.' },
  code_malformed: { status: 400, title: 'This is not a join code.' },
  code_not_known: { status: 403, title: 'Nobody knows this code.' },
  nobody_found: { status: 409, title: 'No other appliance was found.' },
  peer_not_seen: { status: 404, title: 'No such appliance was seen.' },
  peer_revoked: { status: 403, title: 'That appliance is shut out.' },
  of_that_shop: { status: 409, title: 'This appliance is of that shop already.' },
  join_replaced: { status: 409, title: 'Another join was begun meanwhile.' },
  join_overtaken: { status: 409, title: 'Meanwhile this appliance was used.' },
  trust_words_used_up: { status: 409, title: 'This appliance has said that too often.' },
  trust_not_withdrawn: { status: 422, title: 'Trust is not taken back half.' },
  conflict_of_facts: { status: 422, title: 'Two documents cannot be made one.' },
  field_not_contested: { status: 422, title: 'This was never in question.' },
  // The appliance
  passwords_unsupported: { status: 503, title: 'This appliance cannot check passwords.' },
  too_many_waiting: { status: 503, title: 'Too many wait for changes already.' },
  busy: { status: 503, title: 'The appliance has more to write than it can.' },
  not_ready: {
    status: 503,
    title: 'The appliance cannot work now.',
    detail: 'Look at its page or its log for the cause.',
  },
  being_mended: { status: 503, title: 'The books are being mended.' },
  outcome_unknown: { status: 503, title: 'The disk failed while this was written.', detail: retrySoon },
  storage_unavailable: { status: 503, title: 'The books cannot be written now.', detail: retrySoon },
  storage_failed: { status: 503, title: 'The books cannot be written now.', detail: retrySoon },
  disk_full: { status: 503, title: 'The disk is full.', detail: 'Free some space, then send it again.' },
  internal: {
    status: 500,
    title: 'The appliance made a mistake.',
    detail: 'This request could not be carried out; the log of the appliance says why.',
  },
} satisfies Record<string, Problem>;

export type ProblemCode = keyof typeof problems;

const byCode: { readonly [code: string]: Problem | undefined } = problems;

/** Errors told at most; a person mends a few at a time. */
const errorsToldMax = 20;

export const statusOf = (code: string): number => byCode[code]?.status ?? 422;

/** RFC 9457. A code without a line above is one of an inner room: it is told as it is, as something refused. */
export function problemDocument(failure: Failure): JsonObject {
  const problem = byCode[failure.code];
  const document: JsonObject = {
    type: `urn:tillmesh:problem:${failure.code}`,
    title: problem?.title ?? 'This was refused.',
    status: problem?.status ?? 422,
    code: failure.code,
    detail: problem?.detail ?? failure.detail,
  };
  if (failure.errors?.length) document.errors = failure.errors.slice(0, errorsToldMax).map((error) => ({ ...error }));
  return failure.facts ? { ...failure.facts, ...document } : document;
}
