package sumo

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/internal/collector"
)

func TestEveryKeyLearnsWhoseItIs(t *testing.T) {
	s := start(t, nil)
	for _, role := range []collector.Role{collector.Administrator, collector.Analyst, collector.Sender} {
		caller := s.as(role)
		w := caller.do("GET", "/trailhook/v1/me", "")
		var me shownKey
		if err := json.Unmarshal(w.Body.Bytes(), &me); err != nil || w.Code != 200 {
			t.Fatalf("%s: %d %s", role, w.Code, w.Body)
		}
		if me.ID != caller.id || me.Label != string(role) || me.Role != role || strings.Contains(w.Body.String(), caller.key) {
			t.Errorf("%s: %s", role, w.Body)
		}
		caller.call(405, "DELETE", "/trailhook/v1/me", "", "")
	}
	s.call(401, "GET", "/trailhook/v1/me", "", "", "Authorization", "")
	if found := s.own("name=Authz.me"); len(found) != 3 {
		t.Errorf("recorded: %q", found)
	}
}
