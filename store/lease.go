package store

import (
	"time"

	"ordergate/order"
)

// Lease is a claim on an intent: who carries it (Token), from when (Now) and until when.
type Lease struct {
	Token string
	Now   time.Time
	Until time.Time
}

// Release says how an attempt ended that did not close its intent.
type Release struct {
	UnknownAt     time.Time // when this attempt ended without a known outcome; zero keeps what stands
	NextAttemptAt time.Time
	ERPOrderID    int64        // of the order, where it is known to have been made; 0 keeps what stands
	Failure       *order.Error // why the attempt did not close the intent
}

// Upserted counts what a batch of snapshots did to the mirror.
type Upserted struct {
	Created, Updated, Unchanged, Older int
}

// Cursor is how far a model was synced.
type Cursor struct {
	WriteDate time.Time // the latest write_date seen, by the ERP's clock
	SyncedAt  time.Time // when the last complete sync began, by the local clock
	Complete  bool      // a full sync has come to its end once
}
