package deploy

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// kinds are those that we use, with the version of the API that each is in.
var kinds = map[string]string{
	"Namespace": "v1", "ConfigMap": "v1", "Service": "v1",
	"StatefulSet": "apps/v1", "Deployment": "apps/v1",
	"PodDisruptionBudget": "policy/v1", "NetworkPolicy": "networking.k8s.io/v1",
}

// readManifests reads the files that the kustomization names.
func readManifests(t *testing.T) []manifest {
	t.Helper()
	var kustomization struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Namespace  string
		Resources  []string
		Images     []struct {
			Name    string
			NewName string `yaml:"newName"`
			NewTag  string `yaml:"newTag"`
		}
	}
	decodeStrictly(t, "kubernetes/kustomization.yaml", func(d *yaml.Decoder) error { return d.Decode(&kustomization) })
	files, err := filepath.Glob("kubernetes/*.yaml")
	if err != nil || len(files) != len(kustomization.Resources)+1 {
		t.Errorf("the kustomization has %v, the folder %v, %v", kustomization.Resources, files, err)
	}
	var all []manifest
	for _, file := range kustomization.Resources {
		decodeStrictly(t, "kubernetes/"+file, func(d *yaml.Decoder) error {
			for {
				var m manifest
				err := d.Decode(&m)
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
				if kinds[m.Kind] == "" || kinds[m.Kind] != m.APIVersion || m.Metadata.Name == "" {
					t.Errorf("%s: %s of %s %q", file, m.Kind, m.APIVersion, m.Metadata.Name)
				}
				all = append(all, m)
			}
		})
	}
	return all
}

func decodeStrictly(t *testing.T, file string, decode func(*yaml.Decoder) error) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decode(decoder); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// workloads are the manifests that have pods.
func workloads(all []manifest) (found []manifest) {
	for _, m := range all {
		if len(m.Spec.Template.Spec.Containers) > 0 {
			found = append(found, m)
		}
	}
	return found
}

// selected are the workloads whose pods have all of the labels.
func selected(all []manifest, s selector) (found []manifest) {
	for _, w := range workloads(all) {
		has := true
		for name, value := range s.labels() {
			has = has && w.Spec.Template.Metadata.Labels[name] == value
		}
		if has {
			found = append(found, w)
		}
	}
	return found
}

func (m manifest) hasPort(name string) bool {
	for _, c := range m.Spec.Template.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == name {
				return true
			}
		}
	}
	return false
}

func TestEveryPodIsRestricted(t *testing.T) {
	for _, w := range workloads(readManifests(t)) {
		p, name := w.Spec.Template.Spec, w.Metadata.Name
		if s := p.SecurityContext; !s.RunAsNonRoot || s.RunAsUser == 0 || s.FSGroup == 0 || s.SeccompProfile.Type != "RuntimeDefault" {
			t.Errorf("%s: %+v", name, s)
		}
		if p.AutomountServiceAccountToken == nil || *p.AutomountServiceAccountToken {
			t.Errorf("%s gets a token of the cluster's API", name)
		}
		for _, c := range p.Containers {
			s := c.SecurityContext
			if s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || !s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []string{"ALL"}) {
				t.Errorf("%s: %+v", name, s)
			}
			if c.Resources.Requests["cpu"] == "" || c.Resources.Requests["memory"] == "" || c.Resources.Limits["memory"] == "" {
				t.Errorf("%s: %+v", name, c.Resources)
			}
		}
	}
}

func TestEverythingThatAManifestNamesIsThere(t *testing.T) {
	all := readManifests(t)
	secrets := map[string][]string{"trailhook": {"master-key", "nats-password", "clickhouse-password"}} // docs/install.md has them made
	configs := map[string]bool{}
	services := map[string]bool{}
	for _, m := range all {
		configs[m.Metadata.Name] = configs[m.Metadata.Name] || m.Kind == "ConfigMap"
		services[m.Metadata.Name] = services[m.Metadata.Name] || m.Kind == "Service"
	}
	for _, w := range workloads(all) {
		name, p := w.Metadata.Name, w.Spec.Template.Spec
		if found := selected(all, w.Spec.Selector); len(found) != 1 || found[0].Metadata.Name != name {
			t.Errorf("%s selects the pods of %d workloads", name, len(found))
		}
		if w.Kind == "StatefulSet" && !services[w.Spec.ServiceName] {
			t.Errorf("%s: no service %q", name, w.Spec.ServiceName)
		}
		volumes := map[string]bool{}
		for _, v := range p.Volumes {
			volumes[v.Name] = true
			if v.EmptyDir == nil && !configs[v.ConfigMap.Name] && v.Secret.SecretName != "trailhook-tls" {
				t.Errorf("%s: volume %+v", name, v)
			}
		}
		for _, v := range w.Spec.VolumeClaimTemplates {
			volumes[v.Metadata.Name] = true
		}
		for _, c := range p.Containers {
			for _, m := range c.VolumeMounts {
				if !volumes[m.Name] {
					t.Errorf("%s: no volume %s", name, m.Name)
				}
			}
			for _, e := range c.Env {
				if key := e.ValueFrom.SecretKeyRef; key.Name != "" && !slices.Contains(secrets[key.Name], key.Key) {
					t.Errorf("%s: %s of secret %s is not made by docs/install.md", name, key.Key, key.Name)
				}
			}
			for _, from := range c.EnvFrom {
				if !configs[from.ConfigMapRef.Name] {
					t.Errorf("%s: no settings %s", name, from.ConfigMapRef.Name)
				}
			}
			for _, probe := range []probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
				if probe.HTTPGet.Path == "" || !w.hasPort(probe.HTTPGet.Port) {
					t.Errorf("%s: probe %+v", name, probe)
				}
			}
		}
	}
	for _, m := range all {
		switch m.Kind {
		case "Service":
			to := selected(all, m.Spec.Selector)
			if len(to) != 1 {
				t.Fatalf("service %s leads to %d workloads", m.Metadata.Name, len(to))
			}
			for _, p := range m.Spec.Ports {
				if !to[0].hasPort(p.TargetPort) {
					t.Errorf("service %s: no port %s", m.Metadata.Name, p.TargetPort)
				}
			}
		case "PodDisruptionBudget":
			if len(selected(all, m.Spec.Selector)) != 1 {
				t.Errorf("the budget %s is nobody's", m.Metadata.Name)
			}
		case "NetworkPolicy":
			to := selected(all, m.Spec.PodSelector)
			for _, rule := range m.Spec.Ingress {
				for _, port := range rule.Ports {
					if name, ok := port.Port.(string); ok && !slices.ContainsFunc(to, func(w manifest) bool { return w.hasPort(name) }) {
						t.Errorf("policy %s: no port %s", m.Metadata.Name, name)
					}
				}
				for _, from := range rule.From {
					if from.PodSelector != nil && len(selected(all, from.PodSelector)) == 0 {
						t.Errorf("policy %s lets in nobody: %v", m.Metadata.Name, from.PodSelector)
					}
				}
			}
		}
	}
}

func TestTheManifestsSetWhatTheProgramKnows(t *testing.T) {
	all := readManifests(t)
	known := knownCommands(t)
	for _, m := range all {
		for name := range m.Data {
			if m.Kind == "ConfigMap" && strings.HasPrefix(m.Metadata.Name, "trailhook") {
				known.checkVariable(t, m.Metadata.Name, name)
			}
		}
	}
	served := 0
	for _, w := range workloads(all) {
		for _, c := range w.Spec.Template.Spec.Containers {
			if c.Image != "trailhook" {
				continue
			}
			served++
			known.checkArguments(t, w.Metadata.Name, c.Args)
			for _, e := range c.Env {
				if strings.HasPrefix(e.Name, "TRAILHOOK_") {
					known.checkVariable(t, w.Metadata.Name, e.Name)
				}
			}
		}
	}
	if served != 2 {
		t.Errorf("%d workloads run trailhook", served)
	}
}

// Where kubectl is, it reads the whole.
func TestKustomizeBuildsTheManifests(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl is not installed")
	}
	out, err := exec.Command(kubectl, "kustomize", "kubernetes").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	built := 0
	for decoder := yaml.NewDecoder(bytes.NewReader(out)); ; built++ {
		var object map[string]any
		if err := decoder.Decode(&object); err != nil {
			break
		}
		if image := "image: trailhook\n"; strings.Contains(string(out), image) {
			t.Errorf("an image has no name")
		}
	}
	if want := len(readManifests(t)); built != want {
		t.Errorf("%d objects, want %d", built, want)
	}
}
