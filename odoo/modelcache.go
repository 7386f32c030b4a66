package odoo

import (
	"context"
	"sync"
	"time"
)

// modelCache remembers what models a session finds, for a while: another login may find another Odoo, and its administrators install
// applications and change rights.
type modelCache[M comparable] struct {
	mu     sync.Mutex
	of     *session
	models M
	asked  time.Time
}

const modelsLast = 10 * time.Minute

// get returns what is remembered, or else asks.
func (k *modelCache[M]) get(s *session, now time.Time, ask func() (M, error)) (M, error) {
	k.mu.Lock()
	age := now.Sub(k.asked)
	known, models := k.of == s && age >= 0 && age < modelsLast, k.models
	k.mu.Unlock()
	if known {
		return models, nil
	}
	models, err := ask()
	if err != nil {
		return models, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.of, k.models, k.asked = s, models, now
	return models, nil
}

func (k *modelCache[M]) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.of = nil
}

// withModels does work that reads some models. If the gateway's user has lost the right to read some since that was asked,
// it is done once more without those: nothing else must wait for that right.
func withModels[M comparable](ctx context.Context, remembered *modelCache[M], get func(context.Context) (M, error), work func(M) error) error {
	models, err := get(ctx)
	if err != nil {
		return err
	}
	err = work(models)
	if !isReason(err, AccessRights) {
		return err
	}
	remembered.forget()
	now, askErr := get(ctx)
	if askErr != nil || now == models {
		return err
	}
	return work(now)
}
