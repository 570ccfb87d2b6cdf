package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

func newestFirst(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	var records []search.Record
	for i := range 20 {
		r := line(fmt.Sprintf("line %d", i))
		r.Time = noon.Add(time.Duration(i%5) * time.Millisecond)
		r.Receipt = noon.Add(time.Duration(-i%7) * time.Millisecond)
		records = append(records, r)
	}
	insert(t, s, 1, records[:7]...)
	insert(t, s, 2, records[7:]...)
	for _, byReceipt := range []bool{false, true} {
		q := search.Request{ByReceiptTime: byReceipt}
		found := find(t, s, q)
		if len(found) != len(records) {
			t.Errorf("found %d, want %d", len(found), len(records))
		}
		if !slices.IsSortedFunc(found, func(a, b search.Record) int { return q.TimeOf(&b).Compare(q.TimeOf(&a)) }) {
			t.Errorf("by receipt %t: not newest first", byReceipt)
		}
		wantSame(t, find(t, s, q), found)
		q.Limit = 9 // cuts records of one time apart
		wantSame(t, find(t, s, q), found[:9])
	}
}

func timeRange(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	early, middle, late := line("early"), line("middle"), line("late")
	early.Time, early.Receipt = noon.Add(-time.Millisecond), noon.Add(time.Hour)
	middle.Time, middle.Receipt = noon.Add(400*time.Microsecond), noon.Add(2*time.Hour)
	late.Time, late.Receipt = noon.Add(time.Millisecond), noon
	insert(t, s, 1, early, middle, late)
	for _, test := range []struct {
		from, to  time.Time
		byReceipt bool
		want      []string
	}{
		{want: []string{"early", "middle", "late"}},
		{from: noon, want: []string{"middle", "late"}},
		{from: noon.Add(time.Microsecond), want: []string{"late"}},
		{to: noon, want: []string{"early"}},
		{to: noon.Add(time.Nanosecond), want: []string{"early", "middle"}},
		{from: noon, to: noon.Add(time.Millisecond), want: []string{"middle"}},
		{from: noon.In(time.FixedZone("", -7200)), to: noon.Add(time.Millisecond), want: []string{"middle"}},
		{from: noon, to: noon},
		{from: noon.Add(time.Millisecond), to: noon},
		{from: noon, to: noon.Add(time.Hour), byReceipt: true, want: []string{"late"}},
		{from: noon.Add(time.Hour), byReceipt: true, want: []string{"early", "middle"}},
	} {
		q := search.Request{From: test.from, To: test.to, ByReceiptTime: test.byReceipt}
		t.Logf("from %v to %v, by receipt %t", q.From, q.To, q.ByReceiptTime)
		wantRaw(t, find(t, s, q), test.want...)
	}
}

func limit(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	insert(t, s, 1, lines(10)...)
	wantRaw(t, find(t, s, search.Request{Limit: 3}), "line 9", "line 8", "line 7")
	wantRaw(t, find(t, s, search.Request{Limit: 3, To: noon.Add(2 * time.Second)}), "line 1", "line 0")
	if n := len(find(t, s, search.Request{})); n != 10 {
		t.Errorf("found %d without a limit, want 10", n)
	}
}

func leavingEarly(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	insert(t, s, 1, lines(10)...)
	for range 50 { // more often than a pool of connections could lose one
		for r, err := range s.Search(t.Context(), search.Request{}) {
			if err != nil || r.Raw != "line 9" {
				t.Fatalf("first is %q, %v", r.Raw, err)
			}
			break
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range s.Search(cancelled, search.Request{}) {
		last = err
	}
	if last == nil {
		t.Error("a cancelled search ends without an error")
	}
	insert(t, s, 2, line("still works"))
	wantRaw(t, findQuery(t, s, "works"), "still works")
}

func language(t *testing.T, open func(*testing.T) search.Store) {
	s := start(t, open)
	list := line("GET /v2/Control-Planes list", field("action", "list"), field("granted", "true"), field("user_agent", ""))
	edit := line("PATCH /v2/control-planes edit", field("action", "Edit"), field("granted", "false"), field("cs1", "x*y"))
	other := line("ÄRGER über alles")
	other.Source, other.KeyID, other.Signature, other.ParseError = "Other", "", "unknown key", "no CEF"
	insert(t, s, 1, list, edit, other)
	for _, test := range []struct {
		query string
		want  []string
	}{
		{"", []string{list.Raw, edit.Raw, other.Raw}},
		{"*", []string{list.Raw, edit.Raw, other.Raw}},
		{"ärger ÜBER", []string{other.Raw}},
		{"trol-pl", []string{list.Raw, edit.Raw}},
		{"v2*LIST", []string{list.Raw}},
		{`"planes edit"`, []string{edit.Raw}},
		{"list OR alles", []string{list.Raw, other.Raw}},
		{"NOT list", []string{edit.Raw, other.Raw}},
		{"action=LIST", []string{list.Raw}},
		{"action=*i*t", []string{list.Raw, edit.Raw}},
		{"action!=list", []string{edit.Raw, other.Raw}},
		{"action=* action!=list", []string{edit.Raw}},
		{"user_agent=*", []string{list.Raw}},
		{`user_agent=""`, []string{list.Raw}},
		{"user_agent=**", []string{list.Raw}},
		{"cs1=*", []string{edit.Raw}},
		{"cs1=X*Y", []string{edit.Raw}},
		{`cs1="x*y"`, []string{edit.Raw}},
		{`cs1="x*"`, nil},
		{"Action=list", nil},
		{"_SOURCE=konnect", []string{list.Raw, edit.Raw}},
		{"_sourceHost=*", nil},
		{`_sourceHost=""`, nil},
		{"_keyid!=*", []string{other.Raw}},
		{`_signature="unknown key"`, []string{other.Raw}},
		{"_parse_error=*", []string{other.Raw}},
		{"_raw=get*", []string{list.Raw}},
		{"source=Konnect", nil},
		{"(list OR edit) granted=false", []string{edit.Raw}},
		{"list OR edit granted=false", []string{list.Raw, edit.Raw}},
		{"NOT (list OR edit)", []string{other.Raw}},
	} {
		t.Log(test.query)
		wantRaw(t, findQuery(t, s, test.query), test.want...)
	}
}
