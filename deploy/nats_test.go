package deploy

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/trailhook/trailhook/internal/broker"
)

// The configuration of the manifests, read by the server itself.
func TestTheConfigurationOfNATSIsWhatTheBrokerNeeds(t *testing.T) {
	t.Setenv("POD_NAME", "nats-0")
	t.Setenv("NATS_PASSWORD", "n5e3")
	for _, m := range readManifests(t) {
		text, ok := m.Data["nats.conf"]
		if !ok {
			continue
		}
		options := &server.Options{}
		if err := options.ProcessConfigString(text); err != nil {
			t.Fatal(err)
		}
		if options.ServerName != "nats-0" || options.MaxPayload < broker.MaxMessage || !options.SyncAlways || !options.JetStream ||
			len(options.Routes) != 3 || options.Username != "trailhook" || options.Password != "n5e3" {
			t.Errorf("%+v", options)
		}
		return
	}
	t.Error("there is none")
}
