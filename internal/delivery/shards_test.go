package delivery

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// another opens another process's delivery on the same engines.
func (p *platform) another(userAgent string) *Manager {
	p.Helper()
	o := p.manager.Options
	o.UserAgent, o.Metrics = userAgent, prometheus.NewRegistry()
	other, err := Open(p.Context(), o)
	if err != nil {
		p.Fatal(err)
	}
	return other
}

// alongside starts another process's delivery on the same engines.
func (p *platform) alongside(userAgent string) (stop func()) {
	p.Helper()
	other := p.another(userAgent)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		other.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		other.Close()
	})
	p.Cleanup(stop)
	return stop
}

func shared(o *Options) { o.Shared, o.UserAgent = true, "process/1" }

// senders returns by how many requests each process sent.
func senders(requests []received) map[string]int {
	count := map[string]int{}
	for _, r := range requests {
		count[r.header.Get("User-Agent")]++
	}
	return count
}

func TestTwoProcessesShareTheWebhooksAndSendNothingTwice(t *testing.T) {
	p := start(t, t.TempDir(), shared)
	const organizations, each = 24, 5
	receivers := make([]*receiver, organizations)
	tenants := make([]*tenant, organizations)
	for i := range tenants {
		receivers[i] = receive(t, taking(200))
		tenants[i] = p.organization()
		tenants[i].sendTo(receivers[i])
	}
	record := func() {
		for range each {
			for _, o := range tenants {
				o.record(1)
			}
		}
	}
	arrived := func(n int) (first, second int) {
		t.Helper()
		for i, r := range receivers {
			requests := r.awaitEvents(1, tenants[i].recorded)
			if got := len(taken(requests)); got != n {
				t.Errorf("organization %d: %d events arrived, want %d", i, got, n)
			}
			count := senders(requests)
			first += min(count["process/1"], 1)
			second += min(count["process/2"], 1)
		}
		return first, second
	}
	record()
	if _, second := arrived(each); second != 0 {
		t.Errorf("a process that does not run sent for %d organizations", second)
	}

	// Another comes while events flow: it takes its part over, and nothing is sent by both.
	stop := p.alongside("process/2")
	deadline := time.Now().Add(patience)
	rounds := 1
	for {
		record()
		rounds++
		if _, second := arrived(rounds * each); second > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the second process never sent anything")
		}
	}

	// It goes, and the first has everything again, without the wait for a dead one.
	stop()
	stopped := time.Now()
	record()
	rounds++
	arrived(rounds * each)
	if waited := time.Since(stopped); waited > deadAfter {
		t.Errorf("what an ended process gave back was taken up after %v", waited)
	}
}

func TestAShardIsClaimedWhenItsOwnerIsTakenForDead(t *testing.T) {
	p := start(t, t.TempDir(), shared)
	s := p.manager.shards
	// A member that died: it owns every shard, and beats no more.
	if err := s.members.Put(t.Context(), "dead", 1); err != nil {
		t.Fatal(err)
	}
	other, err := openShards(t.Context(), p.manager.Options, p.manager.catchUp)
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	if err := other.owners.Put(t.Context(), "5", "dead"); err != nil {
		t.Fatal(err)
	}
	if other.claim(t.Context(), 5); other.holds(5) {
		t.Fatal("a shard was taken from a member that came after the last look")
	}
	if !other.living(t.Context())["dead"] {
		t.Fatal("a member is taken for dead before its time")
	}
	if other.claim(t.Context(), 5); other.holds(5) {
		t.Fatal("a shard was taken from a member that lives")
	}
	last := other.seen["dead"]
	last.at = last.at.Add(-deadAfter)
	other.seen["dead"] = last
	if other.claim(t.Context(), 5); !other.holds(5) {
		t.Error("the shard of a dead member is not claimed")
	}
	if other.living(t.Context())["dead"] {
		t.Error("a member that is silent for long is taken for living")
	}

	// An owner whom no member's entry tells of is taken for dead in its time too.
	if err := other.owners.Put(t.Context(), "6", "forgotten"); err != nil {
		t.Fatal(err)
	}
	other.living(t.Context())
	if other.claim(t.Context(), 6); other.holds(6) {
		t.Fatal("a shard was taken from an owner that was seen just now")
	}
	last = other.seen["forgotten"]
	last.at = last.at.Add(-deadAfter)
	other.seen["forgotten"] = last
	if other.claim(t.Context(), 6); !other.holds(6) {
		t.Error("the shard of an owner that is no member is not claimed")
	}
}

func TestAFencedProcessStopsSending(t *testing.T) {
	p := start(t, t.TempDir(), shared)
	s, err := openShards(t.Context(), p.manager.Options, p.manager.catchUp)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.held[shardOf("hook")] = newShard()
	lease, done, ok := s.lease("hook")
	if !ok {
		t.Fatal("no lease of a shard that is held")
	}
	fenced := make(chan struct{})
	go func() { s.fence(context.DeadlineExceeded); close(fenced) }()
	<-lease.Done()
	select {
	case <-fenced:
		t.Error("fenced while a worker still sends")
	default:
	}
	done()
	<-fenced
	if _, _, ok := s.lease("hook"); ok {
		t.Error("a fenced process leases")
	}
}

func TestShardsFallToMembersEvenlyAndMoveLittle(t *testing.T) {
	s := &shards{id: "a"}
	count := func(members ...string) (mine int) {
		living := map[string]bool{}
		for _, m := range members {
			living[m] = true
		}
		for n := range shardCount {
			if s.falls(n, living) {
				mine++
			}
		}
		return mine
	}
	alone, two, three := count("a"), count("a", "b"), count("a", "b", "c")
	if alone != shardCount || two < shardCount/4 || two > 3*shardCount/4 || three > two || three < shardCount/8 {
		t.Errorf("of %d shards fall to one of 1, 2 and 3 members: %d, %d, %d", shardCount, alone, two, three)
	}
}
