// Package store is the database of the gateway: intents, the mirror of the ERP's orders, products and customers, the
// history of orders, tenants and their API keys. It runs on MySQL, MariaDB and SQLite, and knows neither HTTP nor the ERP.
//
// Every write is a transaction. Until its COMMIT is sent a failure has one meaning, that nothing was written, and is
// ErrUnavailable; only a COMMIT whose answer is lost is ErrUnknown. Transactions that lose against others are repeated.
//
// The schema belongs to package migrations; Open does not migrate.
package store
