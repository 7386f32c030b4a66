package gateway

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"
)

//go:generate go tool oapi-codegen --config oapi-codegen.yaml -o api.gen.go openapi.yaml

//go:embed openapi.yaml
var openAPI []byte

// ProblemCode is a kind of problem as the contract lists it under x-problem-codes.
type ProblemCode struct {
	Code   string `json:"code"`
	Status int    `json:"status"`
	Title  string `json:"title"`
	Remedy string `json:"remedy"`
}

// LoadOpenAPI parses the contract and lists its problem codes.
func LoadOpenAPI() (*openapi3.T, []ProblemCode, error) {
	spec, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		return nil, nil, fmt.Errorf("gateway: the contract cannot be read: %w", err)
	}
	listed, err := json.Marshal(spec.Extensions["x-problem-codes"])
	if err != nil {
		return nil, nil, fmt.Errorf("gateway: the contract's problem codes cannot be read: %w", err)
	}
	var codes []ProblemCode
	if err := json.Unmarshal(listed, &codes); err != nil {
		return nil, nil, fmt.Errorf("gateway: the contract's problem codes cannot be read: %w", err)
	}
	return spec, codes, nil
}
