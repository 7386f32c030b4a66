// Package migrations brings a database to the schema that package store works on.
//
// The steps are numbered and never change once released. The first three create tables as earlier systems had them:
// nullable, and without a unique ERP order id. The fourth and fifth remove duplicate orders, and keep what they remove in
// dedupe_archive. From the sixth on the schema holds what the gateway promises: one row for each ERP order of a tenant.
// A database that was loaded by an earlier system at one of the first steps therefore migrates like an empty one.
//
// MySQL and MariaDB commit each DDL statement by themselves, so that a step there is one DDL statement and may be run
// again after a crash at any instruction. SQLite runs each step in a transaction.
package migrations
