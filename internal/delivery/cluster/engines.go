package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/evidence"
)

// The public Sigstore instance, which both engines know.
const (
	fulcio = "https://fulcio.sigstore.dev"
	rekor  = "https://rekor.sigstore.dev"
)

// kyverno is an ImageValidatingPolicy. A second signer is a second attestor: it takes
// one identity for a bundle.
func (p policy) kyverno() []object {
	attestors, called := p.attestors()
	names := strings.Join(called, ", ")
	all := "(images.?containers.orValue([]) + images.?initContainers.orValue([]) + images.?ephemeralContainers.orValue([]))"
	apps := strconv.Quote(p.appPattern())
	validations := []any{object{
		"expression": fmt.Sprintf("%s.all(image, image.matches(%s))", all, strconv.Quote(p.knownPattern())),
		"message":    p.namesMessage(),
	}}
	var attestations []any
	for _, kind := range p.require {
		call, by := fmt.Sprintf("verifyImageSignatures(image, [%s]) > 0", names), strings.Join(p.signerNames(), " or ")
		if kind == evidence.Signature && p.all {
			call = "verifyImageSignatures(image, [" + strings.Join(called, "]) > 0 && verifyImageSignatures(image, [") + "]) > 0"
			by = strings.Join(p.signerNames(), " and ")
		}
		if types := predicates(kind); types != nil {
			var calls []string
			for i, predicate := range types {
				name := fmt.Sprintf("%s%d", kind, i)
				attestations = append(attestations, object{"name": name, "intoto": object{"type": predicate}})
				calls = append(calls, fmt.Sprintf("verifyAttestationSignatures(image, attestations.%s, [%s]) > 0", name, names))
			}
			call = strings.Join(calls, " || ")
		}
		validations = append(validations, object{
			"expression": fmt.Sprintf("%s.all(image, !image.matches(%s) || %s)", all, apps, call),
			"message":    fmt.Sprintf("without %s by %s", article(kind), by),
		})
	}
	constraints := p.scope()
	constraints["resourceRules"] = []any{object{
		"apiGroups": []string{""}, "apiVersions": []string{"v1"}, "operations": []string{"CREATE", "UPDATE"},
		"resources": []string{"pods", "pods/ephemeralcontainers"},
	}}
	spec := object{
		"failurePolicy": "Fail", "validationActions": []string{"Deny"}, "webhookConfiguration": object{"timeoutSeconds": 15},
		"matchConstraints": constraints, "matchImageReferences": []any{object{"glob": "*"}},
		"validationConfigurations": object{
			"required": len(p.allow) == 0 && len(p.require) > 0, "verifyDigest": true, "mutateDigest": false,
		},
		"attestors": attestors, "validations": validations,
	}
	if attestations != nil {
		spec["attestations"] = attestations
	}
	if p.PullSecret != "" {
		spec["credentials"] = object{"secrets": []string{p.PullSecret}}
	}
	return []object{{
		"apiVersion": "policies.kyverno.io/v1", "kind": "ImageValidatingPolicy", "metadata": object{"name": p.Name}, "spec": spec,
	}}
}

func (p policy) attestors() (list []any, called []string) {
	add := func(cosign object) {
		name := fmt.Sprintf("signer%d", len(list))
		list, called = append(list, object{"name": name, "cosign": cosign}), append(called, "attestors."+name)
	}
	for _, s := range p.signers {
		add(object{"keyless": object{"identities": []any{identity(s)}}, "ctlog": object{"url": rekor}})
	}
	for _, key := range p.keys { // a key is believed without a log, as Waybill believes it
		add(object{"key": object{"data": key}, "ctlog": object{"insecureIgnoreTlog": true, "insecureIgnoreSCT": true}})
	}
	return list, called
}

func (p policy) namesMessage() string {
	return "an image is not of a repository that " + config.FileName + " names, or is not named by digest (repository@sha256:...)"
}

// sigstore is a ClusterImagePolicy for each record: an image has to satisfy all that
// match it, and of one policy's authorities any.
// https://github.com/sigstore/policy-controller/blob/main/docs/api-types/index.md
func (p policy) sigstore() []object {
	var globs []any
	for _, repository := range p.apps {
		globs = append(globs, object{"glob": repository + "*"})
	}
	var objects []object
	add := func(name string, authorities []any) {
		objects = append(objects, object{
			"apiVersion": "policy.sigstore.dev/v1beta1", "kind": "ClusterImagePolicy",
			"metadata": object{"name": p.Name + "-" + name},
			"spec":     object{"images": globs, "mode": "enforce", "authorities": authorities},
		})
	}
	for _, kind := range p.require {
		bySigner := p.authorities(kind)
		if kind != evidence.Signature || !p.all {
			add(string(kind), slices.Concat(bySigner...))
			continue
		}
		for i, authorities := range bySigner {
			add(fmt.Sprintf("%s-%d", kind, i), authorities)
		}
	}
	return objects
}

// authorities are who may have made a record, by signer; of one signer's any is enough.
func (p policy) authorities(kind evidence.Kind) [][]any {
	var list [][]any
	number := 0
	signer := func(types []string, authorities ...object) {
		var all []any
		for _, a := range authorities {
			for i := range max(len(types), 1) {
				one := object{"name": fmt.Sprintf("signer%d", number)}
				number++
				maps.Copy(one, a)
				if types != nil {
					one["attestations"] = []any{object{"name": fmt.Sprintf("%s%d", kind, i), "predicateType": types[i]}}
				}
				if p.PullSecret != "" {
					one["source"] = []any{object{"signaturePullSecrets": []any{object{"name": p.PullSecret}}}}
				}
				all = append(all, one)
			}
		}
		list = append(list, all)
	}
	// In a bundle the engine reads attestations alone, and there a signature is one.
	// By key it reads cosign's legacy form alone. An empty ctlog asks no log.
	// https://github.com/sigstore/policy-controller/blob/v0.13.1/pkg/webhook/validator.go
	inBundle := predicates(kind)
	if kind == evidence.Signature {
		inBundle = []string{evidence.PredicateSignature}
	}
	for _, s := range p.signers {
		keyless := object{"url": fulcio, "identities": []any{identity(s)}}
		log := object{"url": rekor}
		byLog := object{"keyless": keyless, "ctlog": log, "signatureFormat": "bundle"}
		if p.TrustRoot == "" {
			signer(inBundle, byLog)
			continue
		}
		keyless["trustRootRef"], log["trustRootRef"] = p.TrustRoot, p.TrustRoot
		signer(inBundle, byLog, object{
			"keyless": keyless, "rfc3161timestamp": object{"trustRootRef": p.TrustRoot}, "signatureFormat": "bundle",
		})
	}
	for _, key := range p.keys {
		signer(predicates(kind), object{"key": object{"data": key, "hashAlgorithm": "sha256"}, "ctlog": object{}})
	}
	return list
}

// admission is a ValidatingAdmissionPolicy and its binding: no webhook has to answer,
// so it holds when everything else is down.
func (p policy) admission() []object {
	known := strconv.Quote(p.knownPattern())
	rule := func(group string, resources ...string) any {
		return object{
			"apiGroups": []string{group}, "apiVersions": []string{"v1"}, "operations": []string{"CREATE", "UPDATE"}, "resources": resources,
		}
	}
	spec := object{
		"failurePolicy": "Fail",
		"matchConstraints": object{"resourceRules": []any{
			rule("", "pods", "pods/ephemeralcontainers", "replicationcontrollers", "podtemplates"),
			rule("apps", "deployments", "statefulsets", "daemonsets", "replicasets"),
			rule("batch", "jobs", "cronjobs"),
		}},
		"variables": []any{
			object{"name": "pod", "expression": `object.kind == "Pod" ? object.spec : object.kind == "PodTemplate" ? object.template.spec : ` +
				`object.kind == "CronJob" ? object.spec.jobTemplate.spec.template.spec : object.spec.template.spec`},
			object{"name": "images", "expression": "(variables.pod.containers + variables.pod.?initContainers.orValue([]) + " +
				"variables.pod.?ephemeralContainers.orValue([])).map(c, c.?image.orValue(\"\")) + " +
				"variables.pod.?volumes.orValue([]).filter(v, has(v.image)).map(v, v.image.?reference.orValue(\"\"))"},
		},
		"validations": []any{object{
			"expression": fmt.Sprintf("variables.images.all(i, i.matches(%s))", known),
			"messageExpression": fmt.Sprintf(
				`%s + ": " + variables.images.filter(i, !i.matches(%s)).join(", ")`, strconv.Quote(p.namesMessage()), known,
			),
		}},
	}
	binding := object{"policyName": p.Name, "validationActions": []string{"Deny"}}
	if scope := p.scope(); len(scope) > 0 {
		binding["matchResources"] = scope
	}
	const version = "admissionregistration.k8s.io/v1"
	return []object{
		{"apiVersion": version, "kind": "ValidatingAdmissionPolicy", "metadata": object{"name": p.Name}, "spec": spec},
		{"apiVersion": version, "kind": "ValidatingAdmissionPolicyBinding", "metadata": object{"name": p.Name}, "spec": binding},
	}
}
