package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.yaml.in/yaml/v3"
)

// metric is what may be asked of a metric: its labels, with the values that are
// there from the start.
type metric struct {
	histogram bool
	labels    map[string][]string
}

// knownMetrics are those of the reference, which a test of internal/server holds
// against a running server, and those that every Go program has.
func knownMetrics(t *testing.T) map[string]metric {
	t.Helper()
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]metric{"up": {}} // Prometheus' own
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (counter|gauge|histogram) \\| ([^|]*) \\|")
	for _, found := range row.FindAllStringSubmatch(string(page), -1) {
		m := metric{histogram: found[2] == "histogram", labels: map[string][]string{}}
		for label := range strings.SplitSeq(found[3], "; ") {
			if name, values, ok := strings.Cut(label, ": "); ok {
				m.labels[strings.Trim(name, "` ")] = strings.Split(values, ", ")
			}
		}
		known[found[1]] = m
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		known[family.GetName()] = metric{}
	}
	return known
}

// checkExpression says what an expression of PromQL asks for that there is not.
// It knows as much of the language as that takes.
func checkExpression(expression string, known map[string]metric) error {
	tokens, err := tokenize(expression)
	if err != nil {
		return err
	}
	seen := map[string]bool{"instance": true, "job": true} // labels that a scrape gives
	var grouping []string
	metrics := 0
	for i := 0; i < len(tokens); i++ {
		token := tokens[i]
		next := ""
		if i+1 < len(tokens) {
			next = tokens[i+1]
		}
		switch {
		case slices.Contains([]string{"by", "without", "on", "ignoring", "group_left", "group_right"}, token) && next == "(":
			for i += 2; i < len(tokens) && tokens[i] != ")"; i++ {
				if tokens[i] != "," {
					grouping = append(grouping, tokens[i])
				}
			}
		case !isName(token) || slices.Contains([]string{"and", "or", "unless", "bool", "offset"}, token):
		case next == "(":
			if !slices.Contains(functions, token) {
				return fmt.Errorf("no such function: %s", token)
			}
		default:
			metrics++
			labels, err := labelsOf(token, known)
			if err != nil {
				return err
			}
			for label := range labels {
				seen[label] = true
			}
			if next == "{" {
				if i, err = checkMatchers(token, tokens, i+2, labels); err != nil {
					return err
				}
			}
		}
	}
	if metrics == 0 {
		return fmt.Errorf("no metric in it")
	}
	for _, label := range grouping {
		if !seen[label] {
			return fmt.Errorf("grouped by %s, which none of its metrics has", label)
		}
	}
	return nil
}

// functions are those that our expressions use.
var functions = []string{"sum", "min", "max", "rate", "increase", "histogram_quantile", "predict_linear", "time", "label_values"}

// labelsOf gives the labels of a series, which of a histogram has a name of its own.
func labelsOf(series string, known map[string]metric) (map[string][]string, error) {
	if m, ok := known[series]; ok && !m.histogram {
		return m.labels, nil
	}
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if name, ok := strings.CutSuffix(series, suffix); ok && known[name].histogram {
			labels := map[string][]string{}
			for label, values := range known[name].labels {
				labels[label] = values
			}
			if suffix == "_bucket" {
				labels["le"] = nil
			}
			return labels, nil
		}
	}
	return nil, fmt.Errorf("no such metric: %s", series)
}

// checkMatchers reads the matchers from place i on and returns where they end.
func checkMatchers(series string, tokens []string, i int, labels map[string][]string) (int, error) {
	for ; i < len(tokens) && tokens[i] != "}"; i++ {
		if tokens[i] == "," {
			continue
		}
		if i+2 >= len(tokens) || !slices.Contains([]string{"=", "!=", "=~", "!~"}, tokens[i+1]) {
			return i, fmt.Errorf("%s: matchers that cannot be read at %s", series, tokens[i])
		}
		label, values := tokens[i], strings.Trim(tokens[i+2], `"`)
		there, ok := labels[label]
		if !ok && label != "instance" && label != "job" {
			return i, fmt.Errorf("%s has no label %s", series, label)
		}
		for value := range strings.SplitSeq(values, "|") {
			if ok && there != nil && !slices.Contains(there, value) {
				return i, fmt.Errorf("%s: %s is never %q, but one of %q", series, label, value, there)
			}
		}
		i += 2
	}
	if i >= len(tokens) {
		return i, fmt.Errorf("%s: matchers without an end", series)
	}
	return i, nil
}

var tokenPattern = regexp.MustCompile(`^(?:"[^"]*"|[a-zA-Z_:][a-zA-Z0-9_:]*|[0-9][0-9.]*[smhdwy]?|=~|!~|==|!=|<=|>=|[-+*/%^<>=(){}\[\],])`)

// tokenize takes an expression apart, and makes sure that its brackets fit.
func tokenize(expression string) (tokens []string, err error) {
	// Grafana's variables stand for a time and for a pattern.
	rest := strings.NewReplacer("$__rate_interval", "5m", "$instance", "any").Replace(expression)
	var open []string
	closes := map[string]string{"(": ")", "{": "}", "[": "]"}
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		token := tokenPattern.FindString(rest)
		switch {
		case token == "":
			return nil, fmt.Errorf("cannot be read at %s", rest)
		case closes[token] != "":
			open = append(open, closes[token])
		case token == ")" || token == "}" || token == "]":
			if len(open) == 0 || open[len(open)-1] != token {
				return nil, fmt.Errorf("a %s too many", token)
			}
			open = open[:len(open)-1]
		}
		tokens = append(tokens, token)
		rest = rest[len(token):]
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("a %s is missing", open[len(open)-1])
	}
	return tokens, nil
}

func isName(token string) bool {
	first := token[0]
	return first == '_' || first >= 'a' && first <= 'z' || first >= 'A' && first <= 'Z'
}

func TestAnExpressionThatAsksForWhatThereIsNotIsFound(t *testing.T) {
	known := map[string]metric{
		"ready":   {labels: map[string][]string{"part": {"broker", "disk"}}},
		"seconds": {histogram: true, labels: map[string][]string{"for": {"api"}}},
	}
	for expression, problem := range map[string]string{
		`sum(rate(ready{part="disk",instance=~"$instance"}[5m])) by (part) > 0`:     "",
		`histogram_quantile(0.9, sum(rate(seconds_bucket{for="api"}[5m])) by (le))`: "",
		`ready == 0 and seconds_count > 1`:                                          "",
		`rate(reedy[5m])`:                                                           "no such metric",
		`seconds > 1`:                                                               "no such metric",
		`ready{park="disk"}`:                                                        "has no label park",
		`ready{part="dusk"}`:                                                        "is never",
		`sum(ready) by (le)`:                                                        "grouped by le",
		`sum(ready`:                                                                 "is missing",
		`ready)`:                                                                    "too many",
		`rote(ready[5m])`:                                                           "no such function",
		`1 > 0`:                                                                     "no metric",
		`ready{part}`:                                                               "cannot be read",
		`ready # 1`:                                                                 "cannot be read",
	} {
		err := checkExpression(expression, known)
		if (err == nil) != (problem == "") || err != nil && !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v, want %q", expression, err, problem)
		}
	}
}

// rules is Prometheus' file of rules, as far as ours has them.
type rules struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []struct {
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			For         string            `yaml:"for"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

func TestTheAlertsAskForMetricsThatThereAre(t *testing.T) {
	text, err := os.ReadFile("prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	var file rules
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	operations, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	known := knownMetrics(t)
	names := map[string]bool{}
	duration := regexp.MustCompile(`^([0-9]+[smhd])?$`)
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if err := checkExpression(rule.Expr, known); err != nil {
				t.Errorf("%s: %v", rule.Alert, err)
			}
			if names[rule.Alert] || !duration.MatchString(rule.For) {
				t.Errorf("%s: twice, or for %q", rule.Alert, rule.For)
			}
			names[rule.Alert] = true
			if severity := rule.Labels["severity"]; severity != "warning" && severity != "critical" {
				t.Errorf("%s: severity %q", rule.Alert, severity)
			}
			if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s says nothing", rule.Alert)
			}
			if !strings.Contains(string(operations), rule.Alert) {
				t.Errorf("docs/operations.md says nothing of %s", rule.Alert)
			}
		}
	}
	if len(names) < 10 {
		t.Errorf("only %d alerts", len(names))
	}
}

func TestTheDashboardAsksForMetricsThatThereAre(t *testing.T) {
	text, err := os.ReadFile("grafana/trailhook.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Templating struct {
			List []struct{ Name, Definition string }
		}
		Panels []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	known := knownMetrics(t)
	taken := map[[2]int]string{}
	shown := map[string]bool{}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			if err := checkExpression(target.Expr, known); err != nil {
				t.Errorf("%s: %v\n  %s", panel.Title, err, target.Expr)
			}
			for name := range known {
				if strings.Contains(target.Expr, name) {
					shown[name] = true
				}
			}
		}
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("%s shows nothing", panel.Title)
		}
		for x := panel.GridPos.X; x < panel.GridPos.X+panel.GridPos.W; x++ {
			for y := panel.GridPos.Y; y < panel.GridPos.Y+panel.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s lies over %s, or beyond the edge", panel.Title, other)
				}
				taken[[2]int{x, y}] = panel.Title
			}
		}
	}
	for _, name := range []string{"trailhook_ready", "trailhook_delivery_backlog_next_loss_seconds", "trailhook_collector_index_lag_seconds"} {
		if !shown[name] {
			t.Errorf("%s is not shown", name)
		}
	}
}
