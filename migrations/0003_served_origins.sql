-- Under which addresses a peer serves tills and pages, as it said itself; a list in JSON. No part of the books.
ALTER TABLE `peers` ADD COLUMN `origins` TEXT NOT NULL DEFAULT '[]';
