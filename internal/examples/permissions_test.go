package examples_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// action is a line of testdata/permissions.txt.
type action struct {
	verb, name string
	resources  []string
	context    map[string]string
}

// permissions are what each type asks for.
func permissions(t *testing.T) map[string][]action {
	t.Helper()
	data, err := os.ReadFile("testdata/permissions.txt")
	if err != nil {
		t.Fatal(err)
	}
	types, current := make(map[string][]action), ""
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || strings.HasPrefix(line, "#"):
		case len(fields) == 1:
			current = fields[0]
			types[current] = nil
		case len(fields) < 3 || !slices.Contains([]string{"create", "update", "delete"}, fields[0]):
			t.Fatalf("testdata/permissions.txt: %q is no step, action and resource", line)
		default:
			a := action{verb: fields[0], name: fields[1], context: make(map[string]string)}
			for _, field := range fields[2:] {
				if key, value, found := strings.Cut(field, "="); found {
					a.context[key] = value
				} else {
					a.resources = append(a.resources, field)
				}
			}
			types[current] = append(types[current], a)
		}
	}
	return types
}

const (
	regionARN = "arn:aws:ec2:eu-central-1:111122223333:"
	policyARN = "arn:aws:iam::111122223333:policy/"
)

var (
	field        = regexp.MustCompile(`\{([a-z_|]+)\}`)
	workflowRole = regexp.MustCompile(`^acme-(push|plan|apply|person|job)-`)
)

// role is a role that applies, as the plan of its root makes it.
type role struct {
	key      string
	policies []iamPolicy // its own
	boundary iamPolicy
}

// applyRole finds the policies of a role in the plan of the root that makes it.
func applyRole(t *testing.T, plans map[string][]planned, root, key string) role {
	t.Helper()
	r := role{key: key}
	for _, p := range plans[root] {
		name, _ := p.Change.After["name"].(string)
		text, _ := p.Change.After["policy"].(string)
		attached, _ := p.Change.After["role"].(string)
		switch {
		case p.Mode == "data":
		case p.Type == "aws_iam_policy" && name == "acme-boundary":
			r.boundary = parsePolicy(t, name, text)
		case p.Type == "aws_iam_policy" && strings.HasPrefix(name, "acme-apply-"+key+"-"):
			r.policies = append(r.policies, parsePolicy(t, name, text))
		case p.Type == "aws_iam_role_policy" && attached == "acme-apply-"+key:
			// What it may do with its state is modules/identity's to test.
			if name == "read" {
				r.policies = append(r.policies, parsePolicy(t, name, text))
			}
		}
	}
	if len(r.policies) < 2 || len(r.boundary.Statement) == 0 {
		t.Fatalf("acme-apply-%s has %d policies, and a boundary of %d statements", key, len(r.policies), len(r.boundary.Statement))
	}
	return r
}

// may reports whether the role's policies and its boundary let it do something.
func (r role) may(a ask) bool {
	allowed := false
	for _, p := range r.policies {
		allow, deny := p.judge(a)
		if deny {
			return false
		}
		allowed = allowed || allow
	}
	allow, deny := r.boundary.judge(a)
	return allowed && allow && !deny
}

// roots are the roots, each with the key of its role, the root that makes that role, and
// the cluster in it.
var roots = []struct{ name, key, maker, cluster string }{
	{"account", "infra", "account", ""}, {"dev", "dev", "account", "acme-dev"}, {"staging", "staging", "account", "acme-staging"},
	{"prod", "prod", "account", "acme-prod"}, {everything, "dev", everything, "acme-dev"},
}

// administrators is what no role of a workflow changes: the boundaries, the provider,
// and the role that applies the root in which it is.
func administrators(p planned, key string) bool {
	name, _ := p.Change.After["name"].(string)
	attached, _ := p.Change.After["role"].(string)
	own := "acme-apply-" + key
	return p.Type == "aws_iam_openid_connect_provider" || p.Type == "aws_iam_role" && name == own || attached == own ||
		p.Type == "aws_iam_policy" && (name == "acme-boundary" || hasPrefix(name, "acme-made-", own+"-"))
}

func hasPrefix(name string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// Every resource of a plan can be made, changed and deleted by the root's own role, as
// its policies say and its boundary allows; and refreshed.
func rolesMayChange(t *testing.T, plans map[string][]planned) {
	t.Helper()
	types := permissions(t)
	for _, root := range roots {
		role, seen := applyRole(t, plans, root.maker, root.key), 0
		for _, p := range plans[root.name] {
			if p.Mode == "data" {
				continue
			}
			seen++
			actions, known := types[p.Type]
			if !known {
				t.Errorf("%s: testdata/permissions.txt does not say what %s asks for", root.name, p.Type)
			}
			for _, a := range actions {
				for _, request := range asks(t, a, p, root.cluster, root.key) {
					switch may := role.may(request); {
					case may && administrators(p, root.key):
						t.Errorf("%s: %s: the role that applies may change it: %v", root.name, p.Address, request)
					case !may && !administrators(p, root.key):
						t.Errorf("%s: %s: the role that applies may not %s it: %v", root.name, p.Address, a.verb, request)
					}
				}
			}
			for _, read := range readsOf(t, p.Type) {
				if !role.may(ask{action: read, resource: "*"}) {
					t.Errorf("%s: %s: the role that applies may not refresh it: %s", root.name, p.Address, read)
				}
			}
		}
		if seen < 20 {
			t.Errorf("%s: only %d resources were planned", root.name, seen)
		}
		nothingElse(t, types, plans[root.name], role)
	}
}

// optional is what some root of a kind needs and another does not, where one more switch
// for the role would say less than it costs.
var optional = map[string]string{
	"s3:PutReplicationConfiguration":    "whether backups are copied is the root's to say",
	"s3:PutBucketLogging":               "so is whether buckets write access logs",
	"ecr:SetRepositoryPolicy":           "so is whether other accounts pull",
	"ecr:DeleteRepositoryPolicy":        "so is whether other accounts pull",
	"ecr:PutReplicationConfiguration":   "so is whether images are copied to other regions",
	"ce:CreateAnomalyMonitor":           "so is whether costs out of the ordinary are watched",
	"ce:CreateAnomalySubscription":      "the same",
	"ce:DeleteAnomalyMonitor":           "the same",
	"ce:DeleteAnomalySubscription":      "the same",
	"ce:TagResource":                    "the same",
	"ce:UntagResource":                  "the same",
	"ce:UpdateAnomalyMonitor":           "the same",
	"ce:UpdateAnomalySubscription":      "the same",
	"iam:CreateServiceLinkedRole":       "AWS makes some of these roles for other callers",
	"autoscaling:DeleteScheduledAction": "a cluster may stop having working hours",
}

// nothingElse holds a role to what the types of its root's plan ask for.
func nothingElse(t *testing.T, types map[string][]action, made []planned, r role) {
	t.Helper()
	needed := make(map[string]bool)
	for _, p := range made {
		for _, a := range types[p.Type] {
			needed[a.name] = true
		}
	}
	for _, policy := range r.policies {
		if policy.name == "read" {
			continue
		}
		if len(policy.text) > 6144 {
			t.Errorf("%s has %d characters: a policy of AWS has 6,144", policy.name, len(policy.text))
		}
		for _, s := range policy.Statement {
			for _, name := range s.Action {
				if s.Effect == "Allow" && !needed[name] && optional[name] == "" {
					t.Errorf("%s lets the role %s, which nothing in the plan of its root asks for", policy.name, name)
				}
			}
		}
	}
}

// asks are the requests of one action for one resource of a plan.
func asks(t *testing.T, a action, p planned, cluster, key string) (all []ask) {
	t.Helper()
	boundary := policyARN + "acme-made-" + key
	attached, _ := p.Change.After["role"].(string)
	if workflowRole.MatchString(attached) {
		boundary = policyARN + "acme-boundary"
	}
	fill := func(text string) string {
		return field.ReplaceAllStringFunc(text, func(m string) string {
			for name := range strings.SplitSeq(strings.Trim(m, "{}"), "|") {
				value, set := p.Change.After[name].(string)
				switch {
				case name == "cluster":
					return cluster
				case name == "boundary":
					return boundary
				case name == "role" && !set: // its name ends by chance
					return cluster + "-1"
				case set && name == "name_prefix":
					return value + "1"
				case set && value != "":
					return value
				}
			}
			// A role without a boundary, or a name that AWS gives and that the plan cannot know.
			return "unknown." + cluster + "." + domainOf(cluster)
		})
	}
	for _, resource := range a.resources {
		request := ask{action: a.name, context: make(map[string]string)}
		for name, value := range a.context {
			request.context[name] = fill(value)
		}
		where, rest, prefixed := strings.Cut(resource, ":")
		tags := tagsOf(p, cluster)
		switch {
		case prefixed && where == "new":
			for name, value := range tags {
				request.context["aws:RequestTag/"+name] = value
			}
			resource = rest
		case prefixed && where == "own":
			for name, value := range tags {
				request.context["aws:ResourceTag/"+name] = value
			}
			resource = rest
		}
		if resource = fill(resource); !strings.HasPrefix(resource, "arn:") && resource != "*" {
			resource = regionARN + resource + "/1"
		}
		request.resource = resource
		all = append(all, request)
	}
	return all
}

// domainOf is the domain that the cluster of an example has.
func domainOf(cluster string) string {
	if env := strings.TrimPrefix(cluster, "acme-"); env != "prod" {
		return env + ".acme.example"
	}
	return "acme.example"
}

// tagsOf are the tags that a resource would have; what cannot have any is a part of
// something that has the cluster's.
func tagsOf(p planned, cluster string) map[string]string {
	tags, taggable := p.Change.After["tags"]
	if !taggable {
		return map[string]string{"waybill.dev/cluster": cluster}
	}
	found := make(map[string]string)
	for name, value := range asMap(tags) {
		found[name] = fmt.Sprint(value)
	}
	return found
}

// readsOf are what modules/identity lets a plan and an apply read of a type.
func readsOf(t *testing.T, name string) (actions []string) {
	t.Helper()
	reads := source(t, "terraform", "modules", "identity", "reads.tf")
	line := regexp.MustCompile(`(?m)^    ` + name + ` += \[(.*)\]$`).FindStringSubmatch(reads)
	if line == nil {
		return nil // TestPlansReadWhatTheyDeclare says so
	}
	for quoted := range strings.SplitSeq(line[1], ", ") {
		if action := strings.Trim(quoted, `"`); action != "" {
			actions = append(actions, action)
		}
	}
	return actions
}

// forbidden is what the roles of dev and of the account must not do: role, action,
// resource, and what else the request says.
var forbidden = [][]string{
	// Rights, beyond the boundary.
	{"dev", "iam:CreateRole", "role/acme-dev-x"},
	{"dev", "iam:CreateRole", "role/acme-dev-x", "iam:PermissionsBoundary=arn:aws:iam::aws:policy/AdministratorAccess"},
	{"dev", "iam:CreateRole", "role/acme-prod-x", boundMade},
	{"dev", "iam:CreateRole", "role/acme-apply-x", boundMade},
	{"dev", "iam:CreateRole", "role/acme-apply-x", bound},
	{"dev", "iam:AttachRolePolicy", "role/acme-dev-x", boundMade, "iam:PolicyARN=arn:aws:iam::aws:policy/AdministratorAccess"},
	{"dev", "iam:PutRolePolicy", "role/acme-dev-x"},
	{"dev", "iam:DeleteRolePermissionsBoundary", "role/acme-apply-dev", bound},
	{"dev", "iam:CreatePolicyVersion", "policy/acme-boundary"},
	{"dev", "iam:CreatePolicyVersion", "policy/acme-made-dev"},
	{"dev", "iam:SetDefaultPolicyVersion", "policy/acme-made-dev"},
	{"dev", "iam:CreatePolicyVersion", "policy/acme-apply-dev-data"},
	{"dev", "iam:UpdateAssumeRolePolicy", "role/acme-apply-dev"},
	{"dev", "iam:UpdateOpenIDConnectProviderThumbprint", "oidc-provider/token.actions.githubusercontent.com"},
	{"dev", "iam:CreateUser", "user/x"},
	{"dev", "iam:CreateAccessKey", "user/x"},
	{"dev", "sts:AssumeRole", "role/acme-apply-prod"},
	{"dev", "iam:PassRole", "role/acme-apply-prod", "iam:PassedToService=ec2.amazonaws.com"},
	{"dev", "iam:PassRole", "role/acme-dev-x", "iam:PassedToService=lambda.amazonaws.com"},
	// What belongs to prod, or carries no tag.
	{"dev", "ec2:DeleteVpc", regionARN + "vpc/1", ofProd},
	{"dev", "ec2:DeleteVpc", regionARN + "vpc/1"},
	{"dev", "ec2:CreateTags", regionARN + "vpc/1", ofProd, "aws:RequestTag/waybill.dev/cluster=acme-dev"},
	{"dev", "ec2:CreateVpc", regionARN + "vpc/1", "aws:RequestTag/waybill.dev/cluster=acme-prod"},
	{"dev", "ec2:CreateVpc", regionARN + "vpc/1"},
	{"dev", "eks:CreateAccessEntry", "arn:aws:eks:eu-central-1:111122223333:cluster/acme-prod", ofProd},
	{"dev", "eks:DeleteCluster", "arn:aws:eks:eu-central-1:111122223333:cluster/acme-dev-eu"},
	{"dev", "s3:DeleteBucket", "arn:aws:s3:::acme-prod-111122223333-backup"},
	{"dev", "s3:PutBucketPolicy", "arn:aws:s3:::acme-111122223333-state"},
	{"dev", "kms:ScheduleKeyDeletion", "arn:aws:kms:eu-central-1:111122223333:key/1", ofProd},
	{"dev", "kms:PutKeyPolicy", "arn:aws:kms:eu-central-1:111122223333:key/1"},
	{"dev", "route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z1", recordNames + "acme.example"},
	{"dev", "route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z1", recordNames + "evildev.acme.example"},
	{"dev", "route53:AssociateVPCWithHostedZone", "arn:aws:route53:::hostedzone/Z1"},
	{"dev", "route53:DisassociateVPCFromHostedZone", "arn:aws:route53:::hostedzone/Z1"},
	{"dev", "kms:TagResource", "arn:aws:kms:eu-central-1:111122223333:key/1", ofProd, "aws:RequestTag/waybill.dev/cluster=acme-dev"},
	{"dev", "ec2:RunInstances", regionARN + "subnet/1", ofProd},
	// What its root does not make.
	{"dev", "rds:CreateDBInstance", "arn:aws:rds:eu-central-1:111122223333:db:acme-dev", ofDev},
	{"dev", "budgets:ModifyBudget", "arn:aws:budgets::111122223333:budget/acme-dev"},
	{"dev", "ecr:DeleteRepository", "arn:aws:ecr:eu-central-1:111122223333:repository/backend"},
	// The root that makes the roles.
	{"infra", "iam:CreatePolicyVersion", "policy/acme-made-prod"},
	{"infra", "iam:PutRolePolicy", "role/acme-apply-infra", bound},
	{"infra", "iam:CreateRole", "role/acme-apply-x"},
	{"infra", "iam:CreateRole", "role/acme-dev-x", bound},
	{"infra", "iam:CreateOpenIDConnectProvider", "oidc-provider/evil.example"},
	{"infra", "ec2:DeleteVpc", regionARN + "vpc/1", ofDev},
}

const (
	bound       = "iam:PermissionsBoundary=" + policyARN + "acme-boundary"
	boundMade   = "iam:PermissionsBoundary=" + policyARN + "acme-made-dev"
	ofProd      = "aws:ResourceTag/waybill.dev/cluster=acme-prod"
	ofDev       = "aws:ResourceTag/waybill.dev/cluster=acme-dev"
	recordNames = "route53:ChangeResourceRecordSetsNormalizedRecordNames="
)

func asked(action, resource string, context ...string) ask {
	a := ask{action: action, resource: resource, context: make(map[string]string)}
	if !strings.HasPrefix(resource, "arn:") && resource != "*" {
		a.resource = strings.TrimSuffix(policyARN, "policy/") + resource
	}
	for _, c := range context {
		key, value, _ := strings.Cut(c, "=")
		a.context[key] = value
	}
	return a
}

func rolesMayNotChange(t *testing.T, plans map[string][]planned) {
	t.Helper()
	roles := make(map[string]role)
	for _, key := range []string{"dev", "infra", "staging"} {
		roles[key] = applyRole(t, plans, "account", key)
	}
	for _, f := range forbidden {
		if a := asked(f[1], f[2], f[3:]...); roles[f[0]].may(a) {
			t.Errorf("acme-apply-%s may: %v", f[0], a)
		}
	}
	if a := asked("eks:DescribeCluster", "arn:aws:eks:eu-central-1:111122223333:cluster/acme-dev", ofDev); !roles["staging"].may(a) {
		t.Error("acme-apply-staging may not ask which version dev has, which comes before")
	}
	const own = "aws:RequestTag/waybill.dev/cluster=acme-dev"
	claimed := asked("kms:TagResource", "*", own)
	if claimed.resource = keyOfStates(t, plans["account"]); roles["dev"].may(claimed) {
		t.Errorf("acme-apply-dev may take the key of the states for its own: %v", claimed)
	}
	if a := asked("kms:TagResource", "arn:aws:kms:eu-central-1:111122223333:key/new", own); !roles["dev"].may(a) {
		t.Errorf("acme-apply-dev may not tag a key that it makes: %v", a)
	}
	boundaryOfMade(t, plans["account"])
}

// keyOfStates is the key that the inline policy of a role names.
func keyOfStates(t *testing.T, made []planned) string {
	t.Helper()
	for _, p := range made {
		if text, _ := p.Change.After["policy"].(string); p.Type == "aws_iam_role_policy" && p.Change.After["name"] == "state" {
			for _, s := range parsePolicy(t, "state", text).Statement {
				if s.Sid == "StateKey" {
					return s.Resource[0]
				}
			}
		}
	}
	t.Fatal("no role names the key of its state")
	return ""
}

// What dev's apply makes stays in dev, whatever policies it is given.
func boundaryOfMade(t *testing.T, made []planned) {
	t.Helper()
	var boundary iamPolicy
	for _, p := range made {
		if text, _ := p.Change.After["policy"].(string); p.Change.After["name"] == "acme-made-dev" {
			boundary = parsePolicy(t, "acme-made-dev", text)
		}
	}
	if len(boundary.text) == 0 || len(boundary.text) > 6144 {
		t.Fatalf("acme-made-dev has %d characters", len(boundary.text))
	}
	everythingAllowed := parsePolicy(t, "everything", `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)
	r := role{policies: []iamPolicy{everythingAllowed}, boundary: boundary}
	for _, f := range [][]string{
		{"iam:CreateRole", "*"}, {"iam:AttachRolePolicy", "*"}, {"sts:AssumeRole", "*"},
		{"iam:PassRole", "role/acme-dev-eks-1", "iam:PassedToService=ec2.amazonaws.com"},
		{"eks:CreateAccessEntry", "*"}, {"ssm:SendCommand", "*"}, {"ssm:StartSession", "*"},
		{"ssm:GetParameter", "arn:aws:ssm:eu-central-1:111122223333:parameter/prod/password"},
		{"secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-central-1:111122223333:secret:acme-prod/backend"},
		{"s3:GetObject", "arn:aws:s3:::acme-prod-111122223333-backup/x"},
		{"s3:GetObject", "arn:aws:s3:::acme-111122223333-state/prod/terraform.tfstate"},
		{"kms:Decrypt", "arn:aws:kms:eu-central-1:111122223333:key/1"},
		{"ec2:TerminateInstances", regionARN + "instance/1", ofProd},
	} {
		if a := asked(f[0], f[1], f[2:]...); r.may(a) {
			t.Errorf("a role that dev makes may: %v", a)
		}
	}
	for _, f := range [][]string{
		{"ecr:BatchGetImage", "*"}, {"eks-auth:AssumeRoleForPodIdentity", "*"},
		{"secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-central-1:111122223333:secret:acme-dev/backend"},
		{"s3:PutObject", "arn:aws:s3:::acme-dev-111122223333-loki/x"},
		{"iam:PassRole", "role/acme-dev-karpenter-node", "iam:PassedToService=ec2.amazonaws.com"},
	} {
		if a := asked(f[0], f[1], f[2:]...); !r.may(a) {
			t.Errorf("a role that dev makes may not: %v", a)
		}
	}
}
