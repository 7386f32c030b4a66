// Package faults runs the real gateway binary against an Odoo and a database while things fail, and checks afterwards
// that no promise was broken. docs/reliability.md says what is promised and shows the results.
//
// A run is made of parts with one duty each:
//
//	plan     what is ordered and what fails when: a pure function of the seed and the scenario
//	world    the processes, the Odoo and the database, and how each of them can fail
//	clients  place orders and act on them, retry as callers do, and write down every request and answer
//	watch    looks at Odoo, the database and the gateway's metrics all along
//	check    judges what was found against what was answered
//
// Clients, watch and check go past the gateway for what they want to know of Odoo and the database, and share no code
// with it.
package faults
