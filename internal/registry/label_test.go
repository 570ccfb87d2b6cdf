package registry

import (
	"errors"
	"strings"
	"testing"
)

func TestALabelIsOfKonnectsPattern(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	user := newOrganization(t, r)
	create := func(labels map[string]string) error {
		_, err := r.CreateControlPlane(t.Context(), ControlPlane{OrgID: user.OrgID, Region: "us", Name: newID(), Labels: labels})
		return err
	}
	good := []string{"a", "7", "Z", "ab", "a-b", "a.b_c-d", "a--b", strings.Repeat("x", 63), strings.Repeat("x", 31) + "." + strings.Repeat("y", 31)}
	for _, text := range good {
		if err := create(map[string]string{text: text}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := create(nil); err != nil {
		t.Errorf("no labels: %v", err)
	}
	made := len(r.ControlPlanes(user.OrgID, "us"))
	if made != len(good)+1 {
		t.Errorf("%d control planes were made", made)
	}
	for _, text := range []string{"", "-", "_a", "a_", ".a", "a.", "-a", "a-", "a b", "a/b", "ä", "a\n", "\na", "a\x00", "a\xff", strings.Repeat("x", 64)} {
		for _, labels := range []map[string]string{{text: "v"}, {"zz": text, "a": "v"}} {
			var invalid *InvalidError
			err := create(labels)
			if !errors.As(err, &invalid) || invalid.Rule != "is_label" {
				t.Errorf("%q: %v", labels, err)
				continue
			}
			if _, isName := labels["zz"]; isName && invalid.Field != "labels.zz" || !isName && invalid.Field != "labels."+text {
				t.Errorf("%q: the field is called %q", labels, invalid.Field)
			}
		}
	}
	if n := len(r.ControlPlanes(user.OrgID, "us")); n != made {
		t.Errorf("%d control planes of refused labels", n-made)
	}
}

func TestANameIsNotTakenByAControlPlaneThatIsRefused(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	cp := ControlPlane{OrgID: newOrganization(t, r).OrgID, Region: "us", Name: "n", Labels: map[string]string{"a": ""}}
	if _, err := r.CreateControlPlane(t.Context(), cp); err == nil {
		t.Fatal("accepted")
	}
	cp.Labels = nil
	if _, err := r.CreateControlPlane(t.Context(), cp); err != nil {
		t.Errorf("the name after the refusal: %v", err)
	}
}
