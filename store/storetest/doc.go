// Package storetest is the suite that every database must pass, and what tests need to get one.
//
// Exercise runs against SQLite, MySQL and MariaDB alike. Its tests share one database and work as tenants of their own,
// as the gateway's tenants do: one that saw another's rows would fail.
package storetest
