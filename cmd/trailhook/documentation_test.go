package main

import (
	"regexp"
	"strings"
	"testing"
)

// notRun are the examples that no test runs (fenced as "sh norun"), by page and first
// line, and why.
var notRun = map[string]string{
	"docs/gateway.md: TRAILHOOK_PROXY_CONTROL_PLANE_TOKEN=… ./bin/trailhook serve --only platform \\": "it takes a second server, which TestADataPlaneServesAnotherServersControlPlaneAlsoWithoutIt has",

	"docs/gateway.md: export DECK_KONNECT_ADDR=https://us.api.konghq.localhost:8080":                                 "it takes decK, which cannot be installed by its tests",
	"docs/gateway.md: echo '127.0.0.1 us.api.konghq.localhost global.api.konghq.localhost' | sudo tee -a /etc/hosts": "it changes the machine's names",

	"docs/install.md: apt-get install make g++   # and Go 1.26 from https://go.dev/dl/":                                  "it installs packages",
	"docs/install.md: sha256sum --check --ignore-missing trailhook_1.2.3_SHA256SUMS":                                     "it takes a release",
	"docs/install.md: install -m 644 deploy/systemd/trailhook.sysusers /etc/sysusers.d/trailhook.conf":                   "it takes systemd, as root",
	"docs/install.md: sudo -u trailhook trailhook backup --data-dir /var/lib/trailhook --to - > /root/trailhook.tar.zst": "it takes systemd's user",
	"docs/install.md: docker build --build-arg VERSION=1.2.3 -t trailhook .":                                             "it takes Docker",
	"docs/install.md: kubectl create namespace trailhook":                                                                "it takes Kubernetes",
	"docs/install.md: kubectl -n trailhook logs -l app.kubernetes.io/component=platform --tail=-1 | grep KONNECT_TOKEN":  "it takes Kubernetes",

	"docs/operations.md: clickhouse-client --query 'CREATE DATABASE trailhook'":                             "it takes a database server, which the tests of the search store have",
	"docs/operations.md: echo '127.0.0.1 us.api.konghq.com global.api.konghq.com' | sudo tee -a /etc/hosts": "it changes the machine's names, and takes kongctl",

	"docs/scaling.md: trailhook bench                                     # as fast as it goes":                               "each takes half a minute; bench.txt runs shorter ones",
	"docs/scaling.md: trailhook serve --only platform --nats nats://a,b,c         # any number of these, with one master key": "it takes a cluster, which the tests of cmd/trailhook and internal/broker have",

	"docs/search.md: duckdb -c \"SELECT org_id, count(*) FROM 'konnect.parquet' WHERE NOT granted GROUP BY ALL ORDER BY 2 DESC\"": "it takes DuckDB's own program",
}

// goesOn is how a page says that its examples have the README's tutorial before them: its
// server, and its variables.
const goesOn = "go on from the [tutorial by hand](../README.md#the-tutorial-by-hand)"

// Every page's blocks of shell are run by bash, in order, one session a page, as by a
// reader in a clone that was just built, with a second terminal for what runs until
// Ctrl-C. What a page shows as the output of a block has to come out of it.
func TestTheExamplesOfEveryPageWork(t *testing.T) {
	t.Parallel()
	all := pages(t)
	tutorial := all[0].section(t, "The tutorial by hand")
	for _, p := range all {
		if !p.runs() {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := newSession(t)
			if strings.Contains(strings.Join(strings.Fields(p.text), " "), goesOn) {
				s.run(tutorial, p)
			} else {
				s.run(p)
			}
		})
	}
}

func TestAnExampleThatIsNotRunHasAReason(t *testing.T) {
	found := map[string]bool{}
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			switch {
			case strings.HasPrefix(b.info, "sh norun"):
				name := p.name + ": " + b.firstLine()
				found[name] = true
				if notRun[name] == "" {
					t.Errorf("%s:%d: no reason is given why this is not run: %s", p.name, b.line, b.firstLine())
				}
			case b.info != "sh" && !p.made() && usesProgram.MatchString(b.text):
				t.Errorf("%s:%d: an example of another kind than sh is not run: %s", p.name, b.line, b.firstLine())
			}
		}
	}
	for name := range notRun {
		if !found[name] {
			t.Errorf("no page has what is not to be run: %s", name)
		}
	}
}

var (
	usesProgram = regexp.MustCompile(`(?m)^(?:\$ )?(?:\./bin/)?(?:trailhook|curl) `)
	indented    = regexp.MustCompile(`\n\n    +[^ \n-].*`)
)

func TestEveryExampleIsFenced(t *testing.T) {
	for _, p := range pages(t) {
		if p.made() {
			continue
		}
		rest := p.text
		for _, b := range p.blocks {
			rest = strings.Replace(rest, b.text, "", 1)
		}
		if example := indented.FindString(rest); example != "" {
			t.Errorf("%s: an example without a fence:%s", p.name, example)
		}
	}
}
