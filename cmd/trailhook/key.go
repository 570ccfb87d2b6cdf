package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/trailhook/trailhook/internal/registry"
	"github.com/trailhook/trailhook/internal/seal"
)

type keyCommand struct {
	List         keyListCommand         `cmd:"" help:"List the keys that events are signed with."`
	Rotate       keyRotateCommand       `cmd:"" help:"Make a new key to sign events with."`
	RotateMaster keyRotateMasterCommand `cmd:"" help:"Make a new master key, under which the secrets are sealed."`
}

const onStoppedData = `

The server must not be running, since the command works on its data directory. On a cluster (--nats) servers go on.`

type keyListCommand struct {
	Data dataFlags `embed:""`
}

func (keyListCommand) Help() string {
	return "All of them are in the key set that signatures are verified with; one signs." + onStoppedData
}

func (c *keyListCommand) Run(ctx context.Context, s streams) error {
	r, closeAll, err := c.Data.openRegistry(ctx, s)
	if err != nil {
		return err
	}
	defer closeAll()
	out := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "KEY\tCREATED\tRETIRED")
	for _, key := range r.SigningKeys() {
		retired := "signs"
		switch {
		case key.Announced:
			retired = "announced"
		case !key.RetiredAt.IsZero():
			retired = key.RetiredAt.Format(time.RFC3339)
		}
		fmt.Fprintf(out, "%s\t%s\t%s\n", key.KeyID, key.CreatedAt.Format(time.RFC3339), retired)
	}
	return out.Flush()
}

type keyRotateCommand struct {
	Announce    bool `help:"Only put the new key into the key set; the next rotation signs with it." xor:"how"`
	Compromised bool `help:"Delete the private halves of all former keys at once: somebody may have them." xor:"how"`

	Data dataFlags `embed:""`
}

// rotationDelay is how long the servers of a cluster have to hear of a new key
// before one signs with it.
const rotationDelay = 2 * time.Second

func (keyRotateCommand) Help() string {
	return `Events from now on are signed with the new key. The old one stays in the key set, so that lines signed with it
verify; its private half stays too, sealed, for twice the retention: an event from before the rotation that is sent later,
or again, carries the signature that it would have had. Prints the id of the new key. Who verifies may have the key set in a cache,
for 5 minutes or longer: with --announce the new key is in the set before it signs.

  trailhook key rotate --announce      and when all caches have it
  trailhook key rotate

Where somebody may have got at a key, its private half must not sign any more:

  trailhook key rotate --compromised` + onStoppedData
}

func (c *keyRotateCommand) Run(ctx context.Context, s streams) error {
	r, closeAll, err := c.Data.openRegistry(ctx, s)
	if err != nil {
		return err
	}
	defer closeAll()
	made, err := c.rotate(ctx, r)
	if err != nil {
		return err
	}
	if c.Compromised {
		if _, err := r.DropRetiredSeeds(ctx, time.Now().Add(time.Second)); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(s.out, made.KeyID)
	return err
}

func (c *keyRotateCommand) rotate(ctx context.Context, r *registry.Registry) (registry.SigningKey, error) {
	switch {
	case c.Announce:
		return r.AnnounceSigningKey(ctx)
	case c.Data.NATS.URLs != "" && !c.Compromised:
		return r.RotateSigningKey(ctx, rotationDelay)
	}
	return r.RotateSigningKey(ctx, 0)
}

type keyRotateMasterCommand struct {
	Activate bool `help:"Where the master key is shared: seal everything under the key that was added." xor:"step"`
	Prune    bool `help:"Drop the old master keys, once nothing needs them." xor:"step"`

	Data dataFlags `embed:""`
}

func (keyRotateMasterCommand) Help() string {
	return `On the data directory of a stopped server one call does it: a key is added to DATA_DIR/master.key and everything
is sealed anew under it. Whatever interrupts it, everything opens, and it can be called again.

  trailhook key rotate-master
  trailhook key rotate-master --prune      then, or later: the old keys are dropped

With TRAILHOOK_MASTER_KEY, or on a cluster, the key is shared, and it takes three calls. After each give the new
master key (printed, or in DATA_DIR/master.key) to every server and restart them, before the next call:

  trailhook key rotate-master              adds a key, which opens and does not seal yet
  trailhook key rotate-master --activate   seals everything under it
  trailhook key rotate-master --prune      drops the old ones`
}

func (c *keyRotateMasterCommand) Run(ctx context.Context, s streams) error {
	d, err := c.Data.open(ctx, s)
	if err != nil {
		return err
	}
	defer d.close() // until then nobody else has the data directory
	keys, err := c.Data.masterKey()
	if err != nil {
		return err
	}
	if _, err := d.registry.Signer(); err != nil {
		return fmt.Errorf("this is not the master key of the data: %w", err)
	}
	shared := c.Data.MasterKey != "" || c.Data.NATS.URLs != ""
	switch {
	case c.Prune:
		return c.prune(ctx, s, d, keys)
	case c.Activate:
		return c.activate(ctx, s, d, keys)
	case shared:
		return c.add(s, keys)
	}
	return c.rotate(ctx, s, d, keys)
}

// add is the first step where the key is shared.
func (c *keyRotateMasterCommand) add(s streams, keys *seal.Keyset) error {
	if keys.Prepared() {
		return errors.New("a master key was added already: when every server has it, go on with --activate")
	}
	added, err := keys.Add()
	if err != nil {
		return err
	}
	return c.keep(s, added, "a master key was added: give all of it to every server, restart them, and go on with --activate")
}

// activate is the second step where the key is shared. Every value that is
// sealed anew opens with the keyset that all have, and so in any order.
func (c *keyRotateMasterCommand) activate(ctx context.Context, s streams, d *data, keys *seal.Keyset) error {
	if !keys.Prepared() {
		return errors.New("no master key was added that is not active: begin without --activate")
	}
	active, err := keys.Activate()
	if err != nil {
		return err
	}
	n, err := reseal(ctx, d, active)
	if err != nil {
		return err
	}
	return c.keep(s, active, fmt.Sprintf("%d secrets were sealed anew: give the master key to every server, restart them, and go on with --prune", n))
}

// rotate does both steps at once, where nobody else has the key. The new key is
// on disk before anything is sealed under it.
func (c *keyRotateMasterCommand) rotate(ctx context.Context, s streams, d *data, keys *seal.Keyset) (err error) {
	if !keys.Prepared() {
		if keys, err = keys.Add(); err != nil {
			return err
		}
	}
	if keys, err = keys.Activate(); err != nil {
		return err
	}
	if err := keys.Replace(c.Data.masterKeyFile()); err != nil {
		return err
	}
	n, err := reseal(ctx, d, keys)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%d secrets were sealed anew; --prune drops the old master key\n", n)
	return err
}

// prune drops the keys that nothing is sealed under any more: what a step
// before left is sealed anew first.
func (c *keyRotateMasterCommand) prune(ctx context.Context, s streams, d *data, keys *seal.Keyset) error {
	if keys.Prepared() {
		return errors.New("the newest master key is not active yet: go on with --activate, or without a flag where the key is not shared")
	}
	if _, err := reseal(ctx, d, keys); err != nil {
		return err
	}
	pruned, err := keys.Prune()
	if err != nil {
		return err
	}
	return c.keep(s, pruned, fmt.Sprintf("%d old master keys were dropped", keys.Len()-1))
}

// keep puts the keyset where the old one is: into the file, or before the
// operator, who has it elsewhere.
func (c *keyRotateMasterCommand) keep(s streams, keys *seal.Keyset, done string) error {
	if c.Data.MasterKey == "" {
		if err := keys.Replace(c.Data.masterKeyFile()); err != nil {
			return err
		}
		_, err := fmt.Fprintln(s.out, done)
		return err
	}
	text, err := keys.Text()
	if err != nil {
		return err
	}
	fmt.Fprintf(s.err, "trailhook: %s\nStore this in place of TRAILHOOK_MASTER_KEY:\n", done)
	_, err = fmt.Fprintln(s.out, text)
	return err
}

// reseal seals under the primary key what is not, and returns how many secrets
// that were.
func reseal(ctx context.Context, d *data, keys *seal.Keyset) (int, error) {
	pruned, err := keys.Prune()
	if err != nil {
		return 0, err
	}
	with, err := keys.Sealer()
	if err != nil {
		return 0, err
	}
	only, err := pruned.Sealer()
	if err != nil {
		return 0, err
	}
	return d.reseal(ctx, with, only)
}
