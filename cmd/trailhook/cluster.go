package main

import (
	"errors"

	"github.com/trailhook/trailhook/internal/broker"
)

// clusterFlags name a NATS cluster and say how to speak to it.
type clusterFlags struct {
	URLs        string `name:"nats" help:"Use this NATS cluster in place of the embedded engine, with any number of processes beside each other." placeholder:"nats://A,nats://B" env:"TRAILHOOK_NATS"`
	Credentials string `name:"nats-credentials" help:"Credentials file for the cluster." placeholder:"FILE" env:"TRAILHOOK_NATS_CREDENTIALS"`
	CA          string `name:"nats-ca" help:"PEM file of the authority of the cluster's certificates." placeholder:"FILE" env:"TRAILHOOK_NATS_CA"`
	Cert        string `name:"nats-cert" help:"PEM file of the certificate to show to the cluster." placeholder:"FILE" env:"TRAILHOOK_NATS_CERT"`
	Key         string `name:"nats-key" help:"PEM file of its key." placeholder:"FILE" env:"TRAILHOOK_NATS_KEY"`
}

func (c clusterFlags) Validate() error {
	if (c.Cert == "") != (c.Key == "") {
		return errors.New("--nats-cert and --nats-key go together")
	}
	return nil
}

func (c clusterFlags) options() broker.Options {
	return broker.Options{URLs: c.URLs, Credentials: c.Credentials, CAFile: c.CA, CertFile: c.Cert, KeyFile: c.Key}
}
