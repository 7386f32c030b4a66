package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

type healthCommand struct {
	Listen string `env:"ORDERGATE_LISTEN" default:"127.0.0.1:8080" help:"The address the gateway serves on."`
}

// Run succeeds if the gateway answers.
func (c healthCommand) Run(ctx context.Context, term terminal) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host(c.Listen)+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the gateway answers with status %d", response.StatusCode)
	}
	_, err = fmt.Fprintln(term.out, "ok")
	return err
}
