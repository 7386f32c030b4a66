// Package foreign works on order tables of other systems, in place: it removes rows that share an ERP order id, keeps
// what it removes so that it can be undone, and reads such tables for the mirror.
//
// It is a package of its own because these tables are not the gateway's: nothing of their schema is known before it was
// looked at, other programs write to them at the same time, and they may be in another database. MySQL and MariaDB only.
//
// A clean-up is done by the database, a batch of rows at a time: no row passes through this process. A batch is one
// transaction, which also notes in ordergate_dedupe_runs how far the run is; whatever kills a run, the next call goes on
// where the last transaction ended. Reading a table takes a page of rows at a time. Memory does not grow with the table.
package foreign
