-- Who is trusted is told by ops from here on, the same everywhere.
ALTER TABLE `peers` DROP COLUMN `trust`;
