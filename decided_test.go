package herald_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// decided is what a controller acknowledged of proposals and of keys.
type decided struct {
	t          *testing.T
	controller *program
	admin      string
	alice, bob string

	mu       sync.Mutex
	proposed map[int]string // the config of each
	approved map[int]int    // the revision that it made
	rejected map[int]bool
	keys     []string
}

// ask makes a request and reads the answer; status 0 is none.
func (d *decided) ask(method, path, body, token string, into any) int {
	answer, said, err := try(d.t.Context(), method, d.controller.url()+path, []byte(body), "Authorization", "Bearer "+token)
	if err != nil {
		return 0
	}
	if json.Unmarshal(said, into) != nil {
		return 0 // cut off
	}
	return answer.StatusCode
}

// must is ask where the controller lives.
func (d *decided) must(method, path, body, token string, into any) {
	d.t.Helper()
	if status := d.ask(method, path, body, token, into); status/100 != 2 {
		d.t.Fatalf("%s %s: %d", method, path, status)
	}
}

// decide proposes and decides one proposal after the other, until nobody answers.
func (d *decided) decide(writer string) {
	for i := 0; ; i++ {
		name := fmt.Sprintf("%s-%d", writer, i)
		var waits struct{ Proposal, Revision int }
		switch d.ask(http.MethodPut, "/v1/namespaces/demo/configs/"+name, `1`, d.alice, &waits) {
		case http.StatusAccepted:
		case 0:
			return
		default:
			d.t.Errorf("%s does not wait", name)
			return
		}
		d.mu.Lock()
		d.proposed[waits.Proposal] = name
		d.mu.Unlock()
		verb, want := "approve", http.StatusCreated
		if i%4 == 3 {
			verb, want = "reject", http.StatusOK
		}
		var made struct{ Revision int }
		status := d.ask(http.MethodPost, fmt.Sprintf("/v1/namespaces/demo/proposals/%d/%s", waits.Proposal, verb), "", d.bob, &made)
		if status == 0 {
			return
		}
		if status != want {
			d.t.Errorf("%s of %d: %d", verb, waits.Proposal, status)
			return
		}
		d.mu.Lock()
		if verb == "approve" {
			d.approved[waits.Proposal] = made.Revision
		} else {
			d.rejected[waits.Proposal] = true
		}
		d.mu.Unlock()
	}
}

// rotate replaces the signing key again and again, until nobody answers.
func (d *decided) rotate() {
	for {
		var chain struct{ Keys []struct{ ID string } }
		status := d.ask(http.MethodPost, "/v1/signing-keys", "", d.admin, &chain)
		if status == 0 {
			return
		}
		if status != http.StatusCreated {
			d.t.Errorf("a rotation was answered %d", status)
			return
		}
		d.mu.Lock()
		d.keys = append(d.keys, chain.Keys[0].ID)
		d.mu.Unlock()
	}
}

func startDecided(t *testing.T) *decided {
	t.Helper()
	d := &decided{t: t, admin: "given-from-outside-4f1c", proposed: map[int]string{}, approved: map[int]int{}, rejected: map[int]bool{}}
	d.controller = startProgramWith(t, []string{"HERALD_ADMIN_TOKEN=" + d.admin}, "controller", "--db", filepath.Join(t.TempDir(), "c.db"))
	var made struct{ Token string }
	d.must(http.MethodPut, "/v1/namespaces/demo/configs/first", `1`, d.admin, &made)
	d.must(http.MethodPatch, "/v1/namespaces/demo", `{"protected":true}`, d.admin, &made)
	for name, token := range map[string]*string{"alice": &d.alice, "bob": &d.bob} {
		d.must(http.MethodPost, "/v1/tokens", `{"name":"`+name+`","role":"publisher","namespaces":["demo"]}`, d.admin, &made)
		*token = made.Token
	}
	return d
}

// A standing proposal, as it is listed.
type listed struct {
	ID, Revision int
	State        string
}

// each reads a list to its end.
func each[T any](d *decided, path, member string) []T {
	d.t.Helper()
	var all []T
	for path != "" {
		var page map[string]json.RawMessage
		d.must(http.MethodGet, path, "", d.admin, &page)
		var lines []T
		if err := json.Unmarshal(page[member], &lines); err != nil {
			d.t.Fatal(err)
		}
		all, path = append(all, lines...), ""
		if page["next"] != nil {
			if err := json.Unmarshal(page["next"], &path); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	return all
}

// check holds what is there against what was acknowledged: each proposal is open, or
// decided with its commit, and never half.
func (d *decided) check() {
	d.t.Helper()
	commits := map[int]int{} // the revision of each proposal
	revisions := each[struct{ Revision, Proposal int }](d, "/v1/namespaces/demo/revisions?limit=1000", "revisions")
	for i, r := range revisions {
		if r.Revision != len(revisions)-i {
			d.t.Fatalf("revision %d stands at place %d of %d", r.Revision, i, len(revisions))
		}
		if r.Proposal != 0 {
			commits[r.Proposal] = r.Revision
		}
	}
	states, open := map[int]string{}, 0
	for _, p := range each[listed](d, "/v1/namespaces/demo/proposals?limit=1000", "proposals") {
		states[p.ID] = p.State
		if made := commits[p.ID]; (p.State == "approved") != (made != 0) || made != p.Revision {
			d.t.Errorf("proposal %d is %s as revision %d, and its commit is %d", p.ID, p.State, p.Revision, made)
		}
		if p.State == "open" {
			open++
		}
	}
	for id := range d.proposed {
		switch made := d.approved[id]; {
		case made != 0 && commits[id] != made:
			d.t.Errorf("proposal %d was approved as %d, and is %s as %d", id, made, states[id], commits[id])
		case d.rejected[id] && states[id] != "rejected" && states[id] != "": // of those that were rejected the newest are kept
			d.t.Errorf("proposal %d was rejected, and is %s", id, states[id])
		case !d.rejected[id] && states[id] == "":
			d.t.Errorf("proposal %d is gone", id)
		}
	}
	d.t.Logf("%d proposed, %d approved, %d rejected, %d still open; %d rotations", len(d.proposed), len(d.approved), len(d.rejected), open, len(d.keys))
}

// herald runs the operator's tool, which must find all well.
func (d *decided) herald(args ...string) {
	d.t.Helper()
	folder, err := programs()
	if err != nil {
		d.t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(folder, "herald"), append(args, "--server", d.controller.url())...)
	cmd.Env = append(os.Environ(), "HERALD_TOKEN="+d.admin)
	if said, err := cmd.CombinedOutput(); err != nil {
		d.t.Errorf("herald %s: %v: %s", strings.Join(args, " "), err, said)
	}
}

// TestKilledAmidApprovalsAndRotations sends SIGKILL while proposals are made and
// decided and keys are replaced. What was acknowledged stands afterwards, nothing is
// half there, and all hashes and signatures verify.
func TestKilledAmidApprovalsAndRotations(t *testing.T) {
	const kills, writers = 5, 3
	d := startDecided(t)
	for round := range kills {
		var group sync.WaitGroup
		for w := range writers {
			group.Go(func() { d.decide(fmt.Sprintf("r%d-w%d", round, w)) })
		}
		group.Go(d.rotate)
		time.Sleep(100*time.Millisecond + rand.N(200*time.Millisecond)) // at any moment of what they do
		d.controller.kill()
		group.Wait()
		d.controller.start()
		d.check()
	}
	if len(d.approved) < kills || len(d.rejected) == 0 || len(d.keys) < kills {
		t.Errorf("%d approvals, %d rejections and %d rotations prove nothing", len(d.approved), len(d.rejected), len(d.keys))
	}
	kept := map[string]bool{}
	for _, key := range each[struct{ ID string }](d, "/v1/signing-keys", "keys") {
		kept[key.ID] = true
	}
	for _, id := range d.keys {
		if !kept[id] {
			t.Errorf("the key %s is gone", id)
		}
	}
	d.herald("audit", "--verify")
	d.herald("keys", "list")
}
