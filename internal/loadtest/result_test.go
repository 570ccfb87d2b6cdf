package loadtest

import (
	"strings"
	"testing"
)

func TestAResultSaysWhatIsWrongWithIt(t *testing.T) {
	kept := Verdict{Owed: 10, Found: 10, Complete: true}
	for name, c := range map[string]struct {
		result Result
		want   string // the error begins with it; empty: there is none
	}{
		"all is well":                  {Result{Verdict: kept}, ""},
		"one is lost":                  {Result{Verdict: Verdict{Owed: 10, Found: 9, Lost: 1, Complete: true, Webhook: "inactive"}}, "of 10 events that were promised, 1 are lost; 0 were found twice or more, 0 are not valid; the webhook is inactive"},
		"one is doubled":               {Result{Verdict: Verdict{Owed: 10, Found: 10, Doubled: 1, Complete: true}}, "of 10 events that were promised, 0 are lost; 1 were found twice"},
		"one is forged":                {Result{Verdict: Verdict{Owed: 10, Found: 10, Invalid: 1, Complete: true}}, "of 10 events that were promised, 0 are lost; 0 were found twice or more, 1 are not valid"},
		"interrupted, all found":       {Result{Interrupted: true, Verdict: kept}, "interrupted"},
		"interrupted, not all looked":  {Result{Interrupted: true, Verdict: Verdict{Owed: 10, Found: 9, Lost: 1}}, "interrupted"},
		"interrupted, and one doubled": {Result{Interrupted: true, Verdict: Verdict{Owed: 10, Found: 10, Doubled: 1}}, "of 10 events"},
		"nothing was answered":         {Result{Verdict: Verdict{Complete: true}, Calls: Phase{Refused: map[string]uint64{"403": 7}}}, "no request was answered with success: 403 × 7"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.result.Err()
			if c.want == "" {
				if err != nil || !c.result.Verdict.Kept() {
					t.Errorf("%v, kept %v", err, c.result.Verdict.Kept())
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func TestTheTableTellsWhatTheFiguresAreWorth(t *testing.T) {
	r := Result{
		Rate: 100, EventsPerCall: 20,
		Calls:  Phase{Acknowledged: 80, Unsent: 20, Refused: map[string]uint64{"429": 3, "no connection": 1}},
		Events: Phase{Latency: Latency{P50: 1.234, P99: 123.4}},
		Note:   "the tail broke off: EOF",
	}
	var b strings.Builder
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"calls  bodies of 20 events\n", "  p99                           0.00                  123\n",
		"the search for them was broken off", "calls refused: 429 × 3; no connection × 1\n",
		"calls: the rate of 100 a second was not reached: 20 were due", "--api-token-rate", "the tail broke off: EOF\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &b)
		}
	}
}
