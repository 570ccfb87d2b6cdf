package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"
)

// How the data plane is loaded. Everything runs on the same cores. The targets
// take short turns, so that whatever else the machine does hits all of them, and
// each round begins with another one.
const (
	gatewayConnections = 64
	gatewayTurn        = 300 * time.Millisecond
	gatewayRounds      = 30
	gatewayWarmUp      = 4 // rounds that do not count
)

// gatewayTarget is an address that is asked, and what came of it.
type gatewayTarget struct {
	name, url string
	loader    *loader
	turns     []loaded
	processes func() []int // that serve it and nothing else beside
	cpu       float64      // seconds that they used in its turns
}

// gatewayGroup measures the data plane beside its upstream alone and beside
// nginx as a plain proxy.
func gatewayGroup(ctx context.Context) error {
	if _, err := yardsticks(); err != nil {
		return err
	}
	upstream, err := startURLChild("upstream-child")
	if err != nil {
		return err
	}
	defer upstream.stop()
	plane, err := startURLChild("proxy-child", upstream.url)
	if err != nil {
		return err
	}
	defer plane.stop()
	targets := []*gatewayTarget{
		{name: "upstream", url: upstream.url, processes: upstream.processes},
		{name: "gateway", url: plane.url + "/plain", processes: plane.processes},
		{name: "gateway_audit", url: plane.url + "/audited", processes: plane.processes},
	}
	proxy, err := startNginx(upstream.url)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		fmt.Println("# nginx is not installed: the figures beside it are left out")
	case err != nil:
		return err
	default:
		defer proxy.stop()
		targets = append(targets, &gatewayTarget{name: "nginx", url: proxy.url, processes: proxy.processes})
	}
	for _, target := range targets {
		if target.loader, err = newLoader(target.url, gatewayConnections); err != nil {
			return fmt.Errorf("%s: %w", target.name, err)
		}
		defer target.loader.close()
	}
	for round := range gatewayWarmUp + gatewayRounds {
		for i := range targets {
			target := targets[(round+i)%len(targets)]
			if err := target.turn(ctx, round >= gatewayWarmUp); err != nil {
				return fmt.Errorf("%s: %w", target.name, err)
			}
		}
	}
	reportTargets(targets)
	return nil
}

func (t *gatewayTarget) turn(ctx context.Context, counts bool) error {
	before, err := cpuOf(t.processes())
	if err != nil {
		return err
	}
	one, err := t.loader.run(ctx, gatewayTurn)
	if err != nil || !counts {
		return err
	}
	after, err := cpuOf(t.processes())
	t.turns, t.cpu = append(t.turns, one), t.cpu+after-before
	return err
}

func cpuOf(processes []int) (sum float64, err error) {
	for _, pid := range processes {
		seconds, err := cpuSeconds(pid)
		if err != nil {
			return 0, err
		}
		sum += seconds
	}
	return sum, nil
}

func reportTargets(targets []*gatewayTarget) {
	byName := map[string]*gatewayTarget{}
	for _, t := range targets {
		byName[t.name] = t
		var took []time.Duration
		for _, turn := range t.turns {
			took = append(took, turn.took...)
		}
		report(t.name+"_requests_per_s", median(t.rates()), "1/s")
		report(t.name+"_ms_p50", milliseconds(percentile(took, 0.5)), "ms")
		report(t.name+"_ms_p99", milliseconds(percentile(took, 0.99)), "ms")
		report(t.name+"_cpu_us", t.cpu*1e6/float64(len(took)), "µs")
	}
	if nginx := byName["nginx"]; nginx != nil {
		report("gateway_of_nginx", byName["gateway"].of(nginx), "")
		report("gateway_audit_of_nginx", byName["gateway_audit"].of(nginx), "")
	}
}

func (t *gatewayTarget) rates() (rates []float64) {
	for _, turn := range t.turns {
		rates = append(rates, turn.rate)
	}
	return rates
}

// of is the target's rate in the other's: the median over rounds, whose turns
// are close enough to each other for the machine to have been the same.
func (t *gatewayTarget) of(other *gatewayTarget) float64 {
	ratios := make([]float64, len(t.turns))
	for i := range ratios {
		ratios[i] = t.turns[i].rate / other.turns[i].rate
	}
	return median(ratios)
}

func median(values []float64) float64 {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}
