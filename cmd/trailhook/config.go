package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// yamlConfig reads a --config file: a mapping from the flags' names to their
// values. A name that no command has is an error, since it is a typing error.
func yamlConfig(r io.Reader) (kong.Resolver, error) {
	values := config{}
	if err := yaml.NewDecoder(r).Decode(&values); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("not a YAML mapping of flags to values: %w", err)
	}
	return values, nil
}

type config map[string]any

func (c config) Validate(app *kong.Application) error {
	known := map[string]bool{}
	var visit func(*kong.Node)
	visit = func(n *kong.Node) {
		for _, flag := range n.Flags {
			known[flag.Name] = true
		}
		for _, child := range n.Children {
			visit(child)
		}
	}
	visit(app.Node)
	for name := range c {
		if !known[name] {
			return fmt.Errorf("config file: there is no flag --%s", name)
		}
	}
	return nil
}

func (c config) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, ok := c[flag.Name]
	if !ok {
		return nil, nil
	}
	switch v := value.(type) {
	case string, bool, int, float64:
		return fmt.Sprint(v), nil
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = fmt.Sprint(item)
		}
		return strings.Join(items, ","), nil
	}
	return nil, fmt.Errorf("config file: %s: a value cannot be a %T", flag.Name, value)
}
