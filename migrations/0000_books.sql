-- One row for each thing that is only once. Values are JSON.
CREATE TABLE `meta` (`key` TEXT PRIMARY KEY NOT NULL, `value` TEXT NOT NULL) WITHOUT ROWID;
--> statement-breakpoint
-- Who wrote: `number` is a small integer for use in keys; the head is how far we hold it.
CREATE TABLE `origins` (
  `number` INTEGER PRIMARY KEY NOT NULL,
  `origin` TEXT NOT NULL UNIQUE,
  `public_key` BLOB NOT NULL,
  `head` INTEGER NOT NULL,
  `head_hash` BLOB NOT NULL,
  `facts` INTEGER NOT NULL,
  `stamp` TEXT NOT NULL
);
--> statement-breakpoint
-- The journal. `key` = origin number * 2^40 + op number. A pruned op has no header and 64 bytes of hashes for payload;
-- an erased one has its header and 32 bytes. `arrival` is the row of `changes` that tells it.
CREATE TABLE `ops` (`key` INTEGER PRIMARY KEY NOT NULL, `arrival` INTEGER NOT NULL, `header` TEXT, `payload` NOT NULL);
--> statement-breakpoint
-- Seals, under the key of their last op. `live` counts ops not pruned.
CREATE TABLE `commits` (
  `key` INTEGER PRIMARY KEY NOT NULL,
  `first` INTEGER NOT NULL,
  `facts` INTEGER NOT NULL,
  `before` BLOB NOT NULL,
  `after` BLOB NOT NULL,
  `signature` BLOB NOT NULL,
  `live` INTEGER NOT NULL
);
--> statement-breakpoint
-- The order of arrival here. `at` is wall time made monotone.
CREATE TABLE `changes` (`seq` INTEGER PRIMARY KEY NOT NULL, `op` INTEGER NOT NULL, `at` INTEGER NOT NULL);
--> statement-breakpoint
-- State from here on: the fold of the journal, made anew from it by `verify`. It points at ops and repeats no bodies.
CREATE TABLE `records` (
  `row` INTEGER PRIMARY KEY NOT NULL,
  `entity` TEXT NOT NULL,
  `id` TEXT NOT NULL,
  `ops` TEXT NOT NULL,
  `seen` TEXT NOT NULL,
  `version` TEXT NOT NULL,
  `deleted` INTEGER NOT NULL,
  `archived` INTEGER NOT NULL,
  `conflicted` INTEGER NOT NULL,
  `sku` TEXT,
  `search` TEXT NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `records_by_id` ON `records` (`entity`, `id`);
--> statement-breakpoint
CREATE INDEX `records_by_sku` ON `records` (`sku`) WHERE `sku` IS NOT NULL;
--> statement-breakpoint
CREATE INDEX `records_deleted` ON `records` (`deleted`) WHERE `deleted` = 1;
--> statement-breakpoint
CREATE TABLE `barcodes` (`gtin` TEXT NOT NULL, `record` INTEGER NOT NULL, PRIMARY KEY (`gtin`, `record`)) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `barcodes_by_record` ON `barcodes` (`record`);
--> statement-breakpoint
-- `seq` is the row of `changes`; `movements` is how many movements the ticket has: its lines say which.
CREATE TABLE `tickets` (
  `seq` INTEGER PRIMARY KEY NOT NULL,
  `op` INTEGER NOT NULL,
  `id` TEXT NOT NULL,
  `terminal` TEXT,
  `number` TEXT,
  `customer` TEXT,
  `sold_at` INTEGER NOT NULL,
  `movements` INTEGER NOT NULL,
  `rival` INTEGER NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `tickets_by_id` ON `tickets` (`id`);
--> statement-breakpoint
CREATE INDEX `tickets_by_sold_at` ON `tickets` (`sold_at`);
--> statement-breakpoint
CREATE INDEX `tickets_by_customer` ON `tickets` (`customer`) WHERE `customer` IS NOT NULL;
--> statement-breakpoint
-- Movements that were sent as such; `seq` is the row of `changes`.
CREATE TABLE `movements` (
  `seq` INTEGER PRIMARY KEY NOT NULL,
  `op` INTEGER NOT NULL,
  `id` TEXT NOT NULL,
  `product` TEXT NOT NULL,
  `kind` TEXT NOT NULL,
  `quantity` INTEGER NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `movements_by_id` ON `movements` (`id`);
--> statement-breakpoint
-- Movements of a product, filled in behind the sales (see storage/movements.ts). `places` is a list in JSON.
CREATE TABLE `product_movements` (
  `block` INTEGER NOT NULL,
  `product` TEXT NOT NULL,
  `places` TEXT NOT NULL,
  PRIMARY KEY (`block`, `product`)
) WITHOUT ROWID;
--> statement-breakpoint
-- Tickets of a till by their number, filled in behind the sales (see storage/ticket-numbers.ts). `ticket` is its `seq`.
CREATE TABLE `ticket_numbers` (
  `terminal` TEXT NOT NULL,
  `number` TEXT NOT NULL,
  `ticket` INTEGER NOT NULL,
  PRIMARY KEY (`terminal`, `number`, `ticket`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `stock` (
  `product` TEXT PRIMARY KEY NOT NULL,
  `on_hand` INTEGER NOT NULL,
  `movements` INTEGER NOT NULL,
  `updated_at` INTEGER NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
-- Ops of records that wait for what their author had seen.
CREATE TABLE `deferred` (`op` INTEGER PRIMARY KEY NOT NULL, `origin` TEXT NOT NULL, `number` INTEGER NOT NULL);
--> statement-breakpoint
CREATE INDEX `deferred_by_wait` ON `deferred` (`origin`, `number`);
--> statement-breakpoint
-- Records about the mesh, not of the books.
CREATE TABLE `conflicts` (
  `id` TEXT PRIMARY KEY NOT NULL,
  `entity` TEXT NOT NULL,
  `record_id` TEXT NOT NULL,
  `kind` TEXT NOT NULL,
  `fields` TEXT NOT NULL,
  `winner` TEXT NOT NULL,
  `loser` TEXT NOT NULL,
  `strategy` TEXT NOT NULL,
  `detected_at` INTEGER NOT NULL,
  `resolved_at` INTEGER,
  `resolved_by` TEXT,
  `notes` TEXT
);
--> statement-breakpoint
CREATE INDEX `conflicts_by_record` ON `conflicts` (`entity`, `record_id`);
--> statement-breakpoint
CREATE TABLE `evidence` (
  `row` INTEGER PRIMARY KEY NOT NULL,
  `at` INTEGER NOT NULL,
  `origin` TEXT NOT NULL,
  `number` INTEGER NOT NULL,
  `reason` TEXT NOT NULL,
  `bytes` BLOB NOT NULL
);
--> statement-breakpoint
CREATE TABLE `peers` (
  `id` TEXT PRIMARY KEY NOT NULL,
  `name` TEXT NOT NULL,
  `address` TEXT,
  `trust` TEXT NOT NULL,
  `version` TEXT,
  `heads` TEXT NOT NULL,
  `last_seen` INTEGER,
  `last_sync` INTEGER,
  `verified_equal_at` INTEGER,
  `messages_sent` INTEGER NOT NULL,
  `messages_received` INTEGER NOT NULL,
  `bytes_sent` INTEGER NOT NULL,
  `bytes_received` INTEGER NOT NULL,
  `reconnect_attempts` INTEGER NOT NULL
);
--> statement-breakpoint
CREATE TABLE `static_peers` (`address` TEXT PRIMARY KEY NOT NULL);
--> statement-breakpoint
CREATE TABLE `sync_history` (
  `row` INTEGER PRIMARY KEY NOT NULL,
  `peer_id` TEXT NOT NULL,
  `peer_name` TEXT NOT NULL,
  `at` INTEGER NOT NULL,
  `items_received` INTEGER NOT NULL,
  `items_sent` INTEGER NOT NULL,
  `conflicts` INTEGER NOT NULL,
  `duration_ms` INTEGER NOT NULL,
  `bytes` INTEGER NOT NULL,
  `error` TEXT
);
