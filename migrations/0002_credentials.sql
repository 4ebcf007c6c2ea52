-- When a till's token was last used at this appliance, to the hour: no part of the books, and not replicated.
CREATE TABLE `terminal_uses` (
  `terminal` TEXT PRIMARY KEY NOT NULL,
  `at` INTEGER NOT NULL
);
