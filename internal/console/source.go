package console

import (
	"cmp"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// sourceView is the page of a source.
type sourceView struct {
	httpSource
	Collector  hostedCollector
	Manages    bool
	Statistics *sourceStatistics
	Chart      *dayChart
	Badge      string
	State      string
	Line       string // the test line that is waited for; empty: none
	Found      *testLine
	base       string // of the SIEM, for what is to be copied
}

func showSource(v *visit) error {
	view, err := v.source()
	if err != nil {
		return err
	}
	if view.Line = v.testLineID(); view.Line != "" && !v.runsScripts() {
		view.Found = v.awaitLine(view.Collector.Name, view.Name, view.Line)
	}
	return v.show("source", view)
}

// source reads all that is known of the path's source.
func (v *visit) source() (view sourceView, err error) {
	own, err := v.ownKey()
	if err != nil {
		return view, err
	}
	view.Manages, view.base = own.Manages(), strings.TrimSuffix(v.console.urls[siemHalf], "/")
	if view.Statistics, err = v.statistics(v.r.PathValue("id")); err != nil {
		return view, err
	}
	view.Chart = newDayChart(view.Statistics.Minutes)
	view.Badge, view.State = view.Statistics.standing()
	path := pathOf("api", "v1", "collectors", decimal(view.Statistics.CollectorID))
	var parent struct{ Collector hostedCollector }
	if err := v.get(v.ctx(), siemHalf, path, nil, &parent); err != nil {
		return view, err
	}
	view.Collector = parent.Collector
	var object struct{ Source httpSource }
	err = v.get(v.ctx(), siemHalf, path+pathOf("sources", decimal(view.Statistics.SourceID)), nil, &object)
	view.httpSource = object.Source
	return view, err
}

// sourcePath is where the API has the path's source: a source's address names its
// collector, which the statistics tell.
func (v *visit) sourcePath() (string, error) {
	s, err := v.statistics(v.r.PathValue("id"))
	if err != nil {
		return "", err
	}
	return pathOf("api", "v1", "collectors", decimal(s.CollectorID), "sources", decimal(s.SourceID)), nil
}

func deleteSource(v *visit) error {
	path, err := v.sourcePath()
	if err != nil {
		return err
	}
	if err := v.send(v.ctx(), siemHalf, http.MethodDelete, path, nil, nil); err != nil {
		return err
	}
	return v.redirect("/sources", "The source was deleted. What it had received stays searchable.")
}

// Lines is the search for the source's latest lines.
func (s sourceView) Lines() string { return searchAddress(s.Collector.Name, s.Name) }

// Quarantine is the search for those that were set apart.
func (s sourceView) Quarantine() string {
	return searchAddress(s.Collector.Name, quarantined(s.Name))
}

// Forgotten says for how long lines are kept.
func (s sourceView) Forgotten() string {
	if s.Settings.RetentionDays == 0 {
		return "as long as the server keeps lines by default"
	}
	return plural(s.Settings.RetentionDays, "day", "days")
}

// Policy says what is done with lines whose signature does not verify.
func (s sourceView) Policy() string {
	switch {
	case s.Settings.QuarantineUnsigned:
		return "lines that do not verify are set apart, and so are unsigned ones"
	case s.Settings.SignaturePolicy == "quarantine":
		return "lines that do not verify are set apart"
	}
	return "all lines are kept together, each with its verdict"
}

// Keys says where the keys come from that verify the lines.
func (s sourceView) Keys() string {
	switch {
	case s.Settings.JWKS == nil:
		return "the server's default"
	case s.Settings.JWKS.URL != "":
		return s.Settings.JWKS.URL
	}
	return "given with the source"
}

// Address is where lines are sent to, of any machine that reaches this one.
func (s sourceView) Address() string {
	if strings.HasPrefix(s.URL, "/") {
		return s.base + s.URL
	}
	return s.URL
}

// Curl sends a line.
func (s sourceView) Curl() string {
	return "curl " + quoted(s.Address()) + " --data 'hello from curl'"
}

// CurlWithKey sends a line with an access key, which stands in the environment so
// that no list of processes shows it.
func (s sourceView) CurlWithKey() string {
	return "export SIEM_TOKEN='SECRET'  # of an access key with the role sender\n" +
		"curl " + quoted(s.Address()) + " -H \"Authorization: $SIEM_TOKEN\" --data 'hello from curl'"
}

// HEC is a line by way of Splunk's HTTP event collector.
func (s sourceView) HEC() string {
	token := s.Token
	if s.Settings.RequireAccessKey {
		token += ":$SIEM_TOKEN"
	}
	return "curl " + quoted(s.base+"/services/collector/event") + " -H \"Authorization: Splunk " + token + "\" \\\n" +
		`  -d '{"event": {"message": "hello from curl"}}'`
}

// Logger sends a syslog message.
func (s sourceView) Logger() string {
	host := "localhost"
	if u, err := url.Parse(s.base); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	if net.ParseIP(host) != nil && strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	port := "8071"
	if s.Settings.Syslog != nil && s.Settings.Syslog.Port > 0 {
		port = decimal(int64(s.Settings.Syslog.Port))
	}
	return "logger --server " + quoted(host) + " --port " + port + " --tcp --rfc5424 'hello from logger'"
}

// quoted is a word of a shell's.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'"'"'`) + "'" }

// counted is a row of the tables of counts.
type counted struct {
	Name    string
	Meaning string
	Count   uint64
}

// Verdicts are the counts of lines by what their signature is worth.
func (s sourceView) Verdicts() []counted {
	return countsOf(s.Statistics.Signatures, map[string]string{
		"valid": "the signature verifies", "invalid": "the line was changed, or signed with another key",
		"unknown key": "the key is not in the key set", "unsigned": "the line bears no signature",
	})
}

// Reasons are the counts of requests that were rejected.
func (s sourceView) Reasons() []counted { return countsOf(s.Statistics.Rejected, rejections()) }

// Reasons are the counts of requests that name no source.
func (s sourcesView) Reasons() []counted { return countsOf(s.Rejected, rejections()) }

// rejections say what the reasons mean of which the API counts requests.
func rejections() map[string]string {
	return map[string]string{
		"unauthorized": "the address is unknown, or the access key missing or wrong",
		"too_large":    "a line or a body beyond the limits",
		"undecodable":  "the body is not in the encoding that it says",
		"incomplete":   "the body ended early",
		"header":       "a header that cannot be read, or is too long",
		"busy":         "others had all the memory that bodies may take",
		"unavailable":  "the disk took nothing",
		"canceled":     "the sender went away",
		"event":        "an event of Splunk's form that is none",
		"no_data":      "there was nothing in it",
		"method":       "another method than POST",
		"ack":          "acknowledgements, which are not there",
		"udp_no_room":  "syslog messages over UDP that found no room",
	}
}

// countsOf lists counts, the largest first.
func countsOf(counts map[string]uint64, meanings map[string]string) []counted {
	var list []counted
	for name, n := range counts {
		list = append(list, counted{strings.ReplaceAll(name, "_", " "), meanings[name], n})
	}
	slices.SortFunc(list, func(a, b counted) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name)) })
	return list
}
