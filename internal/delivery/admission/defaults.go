package admission

import (
	"maps"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// defaulted is the object with what the API server fills in before policies see
// it, for the kinds that policies are written about: pods and what makes them,
// services. Fields of other kinds stay as they are written.
// https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/
func defaulted(object map[string]any) map[string]any {
	if object == nil {
		return nil
	}
	out, _ := render.Normal(object).(map[string]any) // a copy
	spec, _ := out["spec"].(map[string]any)
	if spec == nil {
		return out
	}
	switch kind := textAt(out, "kind"); kind {
	case "Pod":
		defaultPod(spec, "Always")
	case "Deployment":
		fill(spec, map[string]any{
			"replicas": int64(1), "revisionHistoryLimit": int64(10), "progressDeadlineSeconds": int64(600),
			"strategy": map[string]any{
				"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxSurge": "25%", "maxUnavailable": "25%"},
			},
		})
		defaultTemplate(spec, "Always")
	case "StatefulSet":
		fill(spec, map[string]any{
			"replicas": int64(1), "revisionHistoryLimit": int64(10), "podManagementPolicy": "OrderedReady",
			"updateStrategy": map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"partition": int64(0)}},
		})
		defaultTemplate(spec, "Always")
	case "DaemonSet":
		fill(spec, map[string]any{
			"revisionHistoryLimit": int64(10),
			"updateStrategy": map[string]any{
				"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxSurge": int64(0), "maxUnavailable": int64(1)},
			},
		})
		defaultTemplate(spec, "Always")
	case "ReplicaSet", "ReplicationController":
		fill(spec, map[string]any{"replicas": int64(1)})
		defaultTemplate(spec, "Always")
	case "Job":
		defaultJob(spec)
	case "CronJob":
		fill(spec, map[string]any{
			"concurrencyPolicy": "Allow", "suspend": false, "successfulJobsHistoryLimit": int64(3),
			"failedJobsHistoryLimit": int64(1),
		})
		if job, ok := at(spec, "jobTemplate", "spec").(map[string]any); ok {
			defaultJob(job)
		}
	case "Service":
		defaultService(spec)
	}
	return out
}

func defaultService(spec map[string]any) {
	fill(spec, map[string]any{"type": "ClusterIP", "sessionAffinity": "None"})
	if kind := textAt(spec, "type"); kind == "NodePort" || kind == "LoadBalancer" {
		fill(spec, map[string]any{"externalTrafficPolicy": "Cluster"})
		if kind == "LoadBalancer" {
			fill(spec, map[string]any{"allocateLoadBalancerNodePorts": true})
		}
	}
	each(spec["ports"], func(port map[string]any) {
		fill(port, map[string]any{"protocol": "TCP"})
		if _, ok := port["targetPort"]; !ok {
			port["targetPort"] = port["port"]
		}
	})
}

func defaultJob(spec map[string]any) {
	fill(spec, map[string]any{
		"parallelism": int64(1), "completions": int64(1), "backoffLimit": int64(6), "completionMode": "NonIndexed",
		"suspend": false,
	})
	defaultTemplate(spec, "")
}

func defaultTemplate(spec map[string]any, restart string) {
	if pod, ok := at(spec, "template", "spec").(map[string]any); ok {
		defaultPod(pod, restart)
	}
}

func defaultPod(pod map[string]any, restart string) {
	fill(pod, map[string]any{
		"terminationGracePeriodSeconds": int64(30), "dnsPolicy": "ClusterFirst", "securityContext": map[string]any{},
		"schedulerName": "default-scheduler",
	})
	if restart != "" {
		fill(pod, map[string]any{"restartPolicy": restart})
	}
	if name, ok := pod["serviceAccountName"]; ok {
		fill(pod, map[string]any{"serviceAccount": name})
	}
	for _, list := range []string{"containers", "initContainers", "ephemeralContainers"} {
		each(pod[list], func(c map[string]any) {
			image, _ := c["image"].(string)
			fill(c, map[string]any{
				"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File", "resources": map[string]any{},
				"imagePullPolicy": pullPolicy(image),
			})
			each(c["ports"], func(port map[string]any) { fill(port, map[string]any{"protocol": "TCP"}) })
			for _, name := range []string{"livenessProbe", "readinessProbe", "startupProbe"} {
				if probe, ok := c[name].(map[string]any); ok {
					fill(probe, map[string]any{
						"timeoutSeconds": int64(1), "periodSeconds": int64(10), "successThreshold": int64(1),
						"failureThreshold": int64(3),
					})
					if get, ok := probe["httpGet"].(map[string]any); ok {
						fill(get, map[string]any{"scheme": "HTTP", "path": "/"})
					}
				}
			}
		})
	}
}

// pullPolicy is Always for what a tag that moves names.
func pullPolicy(image string) string {
	name := image
	for i := len(image) - 1; i >= 0; i-- {
		switch image[i] {
		case '@':
			return "IfNotPresent"
		case '/':
			name = image[i+1:]
			i = 0
		}
	}
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == ':' {
			if name[i+1:] == "latest" {
				return "Always"
			}
			return "IfNotPresent"
		}
	}
	return "Always"
}

func fill(object, values map[string]any) {
	for key, value := range values {
		if _, ok := object[key]; !ok {
			object[key] = value
		}
	}
}

func each(list any, do func(map[string]any)) {
	items, _ := list.([]any)
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			do(m)
		}
	}
}

// podOf is the pod that a controller would make of a workload; nil for others.
func podOf(object map[string]any) map[string]any {
	var template map[string]any
	switch textAt(object, "kind") {
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job":
		template, _ = at(object, "spec", "template").(map[string]any)
	case "CronJob":
		template, _ = at(object, "spec", "jobTemplate", "spec", "template").(map[string]any)
	}
	if template == nil {
		return nil
	}
	metadata, _ := template["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	if metadata == nil {
		metadata = make(map[string]any)
	}
	if namespace := textAt(object, "metadata", "namespace"); namespace != "" {
		metadata["namespace"] = namespace
	}
	metadata["name"] = textAt(object, "metadata", "name")
	pod := map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
	if spec, ok := template["spec"]; ok {
		pod["spec"] = spec
	}
	return pod
}
