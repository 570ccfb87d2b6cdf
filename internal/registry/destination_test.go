package registry

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/trailhook/trailhook/audit"
)

func TestADestinationKeepsItsSecretSealed(t *testing.T) {
	dir := t.TempDir()
	r, shut := openRegistry(t, dir, newClock())
	user := newOrganization(t, r)
	d, err := r.CreateDestination(t.Context(), Destination{OrgID: user.OrgID, Name: "d", Endpoint: "https://siem.example/", LogFormat: audit.CEF}, "Splunk hunter2")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(d.Authorization), "hunter2") {
		t.Error("the stored authorization is readable")
	}
	shut()
	r, _ = openRegistry(t, dir, newClock())
	d, err = r.Destination(user.OrgID, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Authorization(d); err != nil || got != "Splunk hunter2" {
		t.Errorf("after a restart: %q, %v", got, err)
	}
	stolen := d
	stolen.ID = newID()
	if _, err := r.Authorization(stolen); err == nil {
		t.Error("a sealed authorization opens for another destination")
	}
}

func TestADestinationThatCannotBeIsRefused(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	good := Destination{OrgID: newOrganization(t, r).OrgID, Name: "d", Endpoint: "https://siem.example/", LogFormat: audit.CEF}
	for field, spoil := range map[string]func(*Destination, *string){
		"name":          func(d *Destination, _ *string) { d.Name = " " },
		"endpoint":      func(d *Destination, _ *string) { d.Endpoint = "http://siem.example/" },
		"log_format":    func(d *Destination, _ *string) { d.LogFormat = "xml" },
		"authorization": func(_ *Destination, auth *string) { *auth = "x\r\nX-Evil: 1" },
	} {
		d, auth := good, "key"
		spoil(&d, &auth)
		var invalid *InvalidError
		if _, err := r.CreateDestination(t.Context(), d, auth); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("bad %s: %v", field, err)
		}
	}
}

func TestADestinationInUseStaysUntilItsWebhookLetsGo(t *testing.T) {
	r, _ := openRegistry(t, t.TempDir(), newClock())
	user := newOrganization(t, r)
	ctx := t.Context()
	d, err := r.CreateDestination(ctx, Destination{OrgID: user.OrgID, Name: "d", Endpoint: "https://siem.example/", LogFormat: audit.CEF}, "")
	if err != nil {
		t.Fatal(err)
	}
	on := true
	var invalid *InvalidError
	last := func(context.Context) (uint64, error) { return 7, nil }
	if _, err := r.ChangeWebhook(ctx, Scope{Region: "us", Organization: user.OrgID}, WebhookChange{Enabled: &on}, last); !errors.As(err, &invalid) {
		t.Errorf("enabling without a destination: %v", err)
	}
	w, err := r.ChangeWebhook(ctx, Scope{Region: "us", Organization: user.OrgID}, WebhookChange{DestinationID: &d.ID, Enabled: &on}, last)
	if err != nil || w.EnabledAfter != 7 {
		t.Fatalf("enable: %+v, %v", w, err)
	}
	if err := r.DeleteDestination(ctx, user.OrgID, d.ID); !errors.Is(err, ErrInUse) {
		t.Errorf("delete in use: %v", err)
	}
	off := false
	later := func(context.Context) (uint64, error) { return 99, nil }
	for _, enabled := range []*bool{&off, &on} {
		if w, err = r.ChangeWebhook(ctx, Scope{Region: "us", Organization: user.OrgID}, WebhookChange{Enabled: enabled}, later); err != nil {
			t.Fatal(err)
		}
	}
	if w.EnabledAfter != 7 || w.DestinationID != d.ID {
		t.Errorf("disabled and enabled again: %+v", w)
	}
	if err := r.DeleteWebhook(ctx, Scope{Region: "us", Organization: user.OrgID}); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteDestination(ctx, user.OrgID, d.ID); err != nil {
		t.Errorf("delete after the webhook is gone: %v", err)
	}
}
