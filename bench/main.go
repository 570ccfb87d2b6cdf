// Command bench runs Trailhook's benchmarks and prints each figure as a line
//
//	name value unit
//
// These machines are noisy: a figure means something beside another of the same
// run, so each group prints yardsticks too.
//
//	go run ./bench            every group
//	go run ./bench tutorial   one group
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// group is a set of figures that are measured together.
type group func(context.Context) error

var groups = map[string]group{
	"collector": collectorGroup,
	"delivery":  deliveryGroup,
	"gateway":   gatewayGroup,
	"journal":   journalGroup,
	"search":    searchGroup,
	"tutorial":  tutorial,
}

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "serve-child":
			exit(serveChild(os.Args[2]))
		case "idle-child":
			exit(idleChild(context.Background()))
		case "collect-child":
			exit(siemChild(context.Background(), os.Args[2]))
		case "search-child":
			exit(searchChild(context.Background(), os.Args[2]))
		case "upstream-child":
			exit(upstreamChild())
		case "proxy-child":
			exit(proxyChild(os.Args[2], os.Args[3]))
		case "deliver-child":
			exit(deliverChild(context.Background(), os.Args[2], os.Args[3]))
		}
	}
	names := slices.Sorted(maps.Keys(groups))
	if len(os.Args) > 1 && os.Args[1] != "all" {
		names = os.Args[1:]
	}
	for _, name := range names {
		run, ok := groups[name]
		if !ok {
			fmt.Fprintf(os.Stderr, "bench: there is no group %q: choose from %s\n", name, strings.Join(slices.Sorted(maps.Keys(groups)), ", "))
			os.Exit(2)
		}
		if err := run(context.Background()); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// report prints a figure.
func report(name string, value float64, unit string) {
	fmt.Printf("%-28s %12.3f %s\n", name, value, unit)
}

// percentile returns the value that p of the samples (0 to 1) do not exceed.
func percentile(samples []time.Duration, p float64) time.Duration {
	sorted := slices.Sorted(slices.Values(samples))
	at := int(p*float64(len(sorted))+0.5) - 1
	return sorted[min(max(at, 0), len(sorted)-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
