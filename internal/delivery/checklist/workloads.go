package checklist

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

func (s *Set) probes() (found []Problem) {
	for _, w := range s.workloads {
		if !w.stays() && w.Kind != "DaemonSet" {
			continue
		}
		for _, c := range list(w.pod, "containers") {
			ready, live := asks(c, "readinessProbe"), asks(c, "livenessProbe")
			say := func(message string) {
				found = append(found, Problem{w.Object, fmt.Sprintf("the container %s %s", text(c, "name"), message)})
			}
			switch {
			case len(ready) == 0:
				say("has no readinessProbe")
			case len(live) == 0:
				say("has no livenessProbe")
			case reflect.DeepEqual(ready, live):
				say("has a livenessProbe that asks what its readinessProbe asks, so that it is killed where it should only get no traffic")
			}
		}
	}
	return found
}

// asks is what a probe asks, without how often.
func asks(container any, probe string) map[string]any {
	question := make(map[string]any)
	for _, kind := range []string{"httpGet", "tcpSocket", "exec", "grpc"} {
		if v := at(container, probe, kind); v != nil {
			question[kind] = v
		}
	}
	return question
}

func (s *Set) replicas() (found []Problem) {
	for _, w := range s.workloads {
		if w.stays() && s.pods(w) < 2 && text(w.Content, "metadata", "annotations", OnePod) == "" {
			found = append(found, Problem{w.Object, "it runs as one pod"})
		}
	}
	return found
}

// pods is how many pods a workload has at least. KEDA's objects scale too.
func (s *Set) pods(w workload) int {
	for _, o := range s.of("HorizontalPodAutoscaler", w.Namespace) {
		if scales(o, w.Object) {
			return max(1, number(o.Content, "spec", "minReplicas"))
		}
	}
	for _, o := range s.of("ScaledObject", w.Namespace) {
		if text(o.Content, "spec", "scaleTargetRef", "name") == w.Name {
			return number(o.Content, "spec", "minReplicaCount")
		}
	}
	if at(w.Content, "spec", "replicas") == nil {
		return 1
	}
	return number(w.Content, "spec", "replicas")
}

func scales(o, target render.Object) bool {
	return text(o.Content, "spec", "scaleTargetRef", "kind") == target.Kind &&
		text(o.Content, "spec", "scaleTargetRef", "name") == target.Name
}

func (s *Set) disruption() (found []Problem) {
	for _, w := range s.workloads {
		if !w.stays() || s.pods(w) < 2 {
			continue
		}
		budgets := s.of("PodDisruptionBudget", w.Namespace)
		if !slices.ContainsFunc(budgets, func(o render.Object) bool { return selects(at(o.Content, "spec", "selector"), w.labels) }) {
			found = append(found, Problem{w.Object, "no PodDisruptionBudget is for its pods"})
		}
	}
	return found
}

// selects reports whether a label selector, with expressions or without, matches
// labels. What cannot be read matches nothing.
func selects(selector any, of map[string]any) bool {
	data, err := json.Marshal(selector)
	if err != nil || selector == nil {
		return false
	}
	var s meta.LabelSelector
	if json.Unmarshal(data, &s) != nil {
		return false
	}
	matcher, err := meta.LabelSelectorAsSelector(&s)
	return err == nil && matcher.Matches(set(of))
}

func set(of map[string]any) labels.Set {
	out := make(labels.Set, len(of))
	for key, value := range of {
		out[key] = fmt.Sprint(value)
	}
	return out
}
