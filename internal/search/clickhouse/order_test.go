package clickhouse

import (
	"crypto/sha256"
	"regexp"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/internal/search"
	"github.com/trailhook/trailhook/internal/search/clickhouse/clickhousetest"
)

// wantExact wants what matches of the records, found by the condition alone.
func wantExact(t *testing.T, s *Store, r search.Request, records []search.Record) {
	t.Helper()
	want := 0
	for i := range records {
		if r.Matches(&records[i]) {
			want++
		}
	}
	got := 0
	for group, err := range s.Groups(t.Context(), search.Grouping{Request: r}) {
		if err != nil {
			t.Fatalf("%v %v: %v", r.Query, r.Lines, err)
		}
		got += group.Count
	}
	if got != want {
		t.Errorf("%v %v: %d match, want %d", r.Query, r.Lines, got, want)
	}
}

func TestTheEngineMatchesLinesAsTheLanguageDoes(t *testing.T) {
	s := openNew(t, clickhousetest.Start(t).Database(t))
	var records []search.Record
	for i, raw := range []string{
		"", "a", "A", "ab\ncd", "K", "\u212a", "ſ", "s", "ä", "Ä", "ß", "ẞ", "\xff", "a\xffb", "a\ufffdb", "\x00", "a\x00b", "x(y|z]", "ǅ", "Ა", "ა", "\U0001e900", "\U0001e922", "٣", "a b", "_", "\xc3",
	} {
		sum := sha256.Sum256([]byte(raw + "."))
		r := numbered(i, i+1)[0]
		r.Raw, r.Identity = raw, [16]byte(sum[:16])
		records = append(records, r)
	}
	insert(t, s, 1, records...)
	for _, x := range []string{
		`a`, `(?i)a`, `(?i)k`, `(?i)S`, `(?i)ä`, `(?i)ß`, `[^a]`, `^.$`, `(?s)^.$`, `^..$`, `(?m)^cd$`, `^cd`, `\x41`, `\x{e4}|q`, `\pL`, `\p{Georgian}`, `(?i)ა`, `(?i)𞤀`, `\W`, `\w+`, `\bb`, `\Bb`, `a.b`,
		`a[^b]b`, `\x{fffd}`, `\x00`, `x\(y\|`, `[[:^alpha:]]`, `\d`, `[\d]`, `^$`, `a*`, `\z`, `(?P<n>a)b|(c)`, `(?U)a+?b`, `[(]y`, `\Qx(y\E`, `(a|A){1,2}$`, `q{0}`, `\]$`,
	} {
		wantExact(t, s, search.Request{Lines: []*regexp.Regexp{regexp.MustCompile(x)}}, records)
	}
}

func TestARegularExpressionThatTheServerMayRefuseIsMatchedByHand(t *testing.T) {
	s := openNew(t, clickhousetest.Start(t).Database(t))
	records := numbered(0, 5)
	records[2].Raw = strings.Repeat("Ä", 60)
	insert(t, s, 1, records...)
	for _, x := range []string{`\pL{50}`, `(?i)` + strings.Repeat("k", 900) + `|Ä`} {
		r := search.Request{Lines: []*regexp.Regexp{regexp.MustCompile(x)}}
		if n := len(all(t, s, r)); n != 1 {
			t.Errorf("%.20s: found %d, want 1", x, n)
		}
	}
}

func TestAnExpressionIsTheSameToEveryEngine(t *testing.T) {
	for expression, want := range map[string]string{
		`a.b`:      `[^\s\S]|(?:(?-s:a.b))`,
		`(?i)k1|Ä`: "[^\\s\\S]|(?:[Kk\u212a]1|[Ää])",
	} {
		if got, ok := portable(expression); !ok || got != want {
			t.Errorf("%s: %s, %t; want %s", expression, got, ok, want)
		}
	}
}
