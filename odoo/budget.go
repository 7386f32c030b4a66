package odoo

import (
	"sync"
	"time"
)

// The retry budget, in repetitions.
const (
	budgetCap       = 10
	budgetPerCall   = 0.2
	budgetPerSecond = 1 // so that a quiet gateway can repeat too
)

// budget limits repetitions to a share of the calls: an Odoo in trouble must not get twice the load for it.
type budget struct {
	clock   func() time.Time
	mu      sync.Mutex
	balance float64
	at      time.Time // as of when balance is
}

func newBudget(clock func() time.Time) *budget {
	return &budget{clock: clock, balance: budgetCap, at: clock()}
}

// deposit notes a call that is no repetition.
func (b *budget) deposit() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.credit(budgetPerCall)
}

// withdraw asks for a repetition.
func (b *budget) withdraw() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.credit(0)
	if b.balance < 1 {
		return false
	}
	b.balance--
	return true
}

func (b *budget) credit(amount float64) {
	now := b.clock()
	if elapsed := now.Sub(b.at); elapsed > 0 {
		amount += elapsed.Seconds() * budgetPerSecond
	}
	b.at = now
	b.balance = min(b.balance+amount, budgetCap)
}
