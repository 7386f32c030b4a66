// Package ordersync is everything that touches both sides, the ERP and the database: placing orders, resolving those
// in doubt, answering from the mirror after bringing it up to date, and keeping it so in the background.
//
// A Service is one tenant's. It is safe for concurrent use, and several processes may run one each for the same tenant:
// they share the database and need nothing from each other.
//
//	service, err := ordersync.New(ordersync.Config{Tenant: tenant, ERP: client, Mirror: db})
//	go service.Run(ctx)                              // background sync and resolver, until ctx ends
//	placement, err := service.Place(ctx, caller, key, request)
//
// # Placing
//
// Place has four outcomes, and each means one thing: a Placement with its Order (it exists in Odoo and in the mirror),
// a Placement without (accepted; the resolver brings it to an end), an *order.Error of kind Unavailable (nothing
// exists or ever will), or one of another kind but Internal (refused; nothing exists). Internal promises nothing, as
// a crash would: the same key may be sent again, and finds out.
//
// Orders that come while the ERP is busy with others wait, and go together: lanes.go. Enqueue accepts orders that nobody waits
// for. docs/intents.md draws what becomes of an intent.
//
// What makes repeating safe is the external id that every order carries in Odoo, derived from tenant, source and key:
// see externalid.go and docs/decisions.
//
// # Reading
//
// Listings answer from the mirror, after bringing changes from Odoo if the mirror is older than the freshness bound.
// Concurrent readers share one sync, none waits for it longer than the read budget, and every answer says how old it is.
package ordersync
