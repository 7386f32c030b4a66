package ordersync

// DrainBacklog lets the lanes look for queued intents, as Run does every second.
func (s *Service) DrainBacklog() { s.lanes.poke(false) }
