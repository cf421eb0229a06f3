package examples_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
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
		p.Type == "aws_iam_policy" && (name == "acme-boundary" || strings.HasPrefix(name, "acme-made-") || strings.HasPrefix(name, own+"-"))
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
				for _, asked := range asks(t, a, p, root.cluster, root.key) {
					switch may := role.may(asked); {
					case may && administrators(p, root.key):
						t.Errorf("%s: %s: the role that applies may change it: %v", root.name, p.Address, asked)
					case !may && !administrators(p, root.key):
						t.Errorf("%s: %s: the role that applies may not %s it: %v", root.name, p.Address, a.verb, asked)
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
		asked := ask{action: a.name, context: make(map[string]string)}
		for name, value := range a.context {
			asked.context[name] = fill(value)
		}
		where, rest, prefixed := strings.Cut(resource, ":")
		tags := tagsOf(p, cluster)
		switch {
		case prefixed && where == "new":
			for name, value := range tags {
				asked.context["aws:RequestTag/"+name] = value
			}
			resource = rest
		case prefixed && where == "own":
			for name, value := range tags {
				asked.context["aws:ResourceTag/"+name] = value
			}
			resource = rest
		}
		if resource = fill(resource); !strings.HasPrefix(resource, "arn:") && resource != "*" {
			resource = regionARN + resource + "/1"
		}
		asked.resource = resource
		all = append(all, asked)
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
	line := regexp.MustCompile(`(?m)^    ` + name + ` += \[(.*)\]$`).FindStringSubmatch(source(t, "terraform", "modules", "identity", "reads.tf"))
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

// What a role of dev must not do, and the one of the account neither.
func rolesMayNotChange(t *testing.T, plans map[string][]planned) {
	t.Helper()
	dev, account := applyRole(t, plans, "account", "dev"), applyRole(t, plans, "account", "infra")
	roleARN := strings.Replace(policyARN, ":policy/", ":role/", 1)
	made := map[string]string{"iam:PermissionsBoundary": policyARN + "acme-made-dev"}
	bound := map[string]string{"iam:PermissionsBoundary": policyARN + "acme-boundary"}
	ofProd, ofDev := map[string]string{"aws:ResourceTag/waybill.dev/cluster": "acme-prod"}, map[string]string{"aws:ResourceTag/waybill.dev/cluster": "acme-dev"}
	for name, c := range map[string]struct {
		role role
		ask  ask
	}{
		"a role without a boundary":            {dev, ask{"iam:CreateRole", roleARN + "acme-dev-x", nil}},
		"a role with another boundary":         {dev, ask{"iam:CreateRole", roleARN + "acme-dev-x", map[string]string{"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}}},
		"a role of prod":                       {dev, ask{"iam:CreateRole", roleARN + "acme-prod-x", made}},
		"a role of workflows":                  {dev, ask{"iam:CreateRole", roleARN + "acme-apply-x", made}},
		"a policy of AWS that nobody needs":    {dev, ask{"iam:AttachRolePolicy", roleARN + "acme-dev-x", map[string]string{"iam:PermissionsBoundary": policyARN + "acme-made-dev", "iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"}}},
		"a policy for a role without boundary": {dev, ask{"iam:PutRolePolicy", roleARN + "acme-dev-x", nil}},
		"its boundary, taken off":              {dev, ask{"iam:DeleteRolePermissionsBoundary", roleARN + "acme-apply-dev", bound}},
		"its boundary, rewritten":              {dev, ask{"iam:CreatePolicyVersion", policyARN + "acme-boundary", nil}},
		"the boundary of what it makes":        {dev, ask{"iam:CreatePolicyVersion", policyARN + "acme-made-dev", nil}},
		"its own policies":                     {dev, ask{"iam:CreatePolicyVersion", policyARN + "acme-apply-dev-data", nil}},
		"its own trust":                        {dev, ask{"iam:UpdateAssumeRolePolicy", roleARN + "acme-apply-dev", nil}},
		"the provider":                         {dev, ask{"iam:UpdateOpenIDConnectProviderThumbprint", "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com", nil}},
		"a user":                               {dev, ask{"iam:CreateUser", "arn:aws:iam::111122223333:user/x", nil}},
		"a key for a user":                     {dev, ask{"iam:CreateAccessKey", "arn:aws:iam::111122223333:user/x", nil}},
		"another role, taken":                  {dev, ask{"sts:AssumeRole", roleARN + "acme-apply-prod", nil}},
		"a role of workflows, given away":      {dev, ask{"iam:PassRole", roleARN + "acme-apply-prod", map[string]string{"iam:PassedToService": "ec2.amazonaws.com"}}},
		"its role for a lambda":                {dev, ask{"iam:PassRole", roleARN + "acme-dev-x", map[string]string{"iam:PassedToService": "lambda.amazonaws.com"}}},
		"the network of prod":                  {dev, ask{"ec2:DeleteVpc", regionARN + "vpc/1", ofProd}},
		"a network that nobody owns":           {dev, ask{"ec2:DeleteVpc", regionARN + "vpc/1", nil}},
		"prod's things, as its own":            {dev, ask{"ec2:CreateTags", regionARN + "vpc/1", map[string]string{"aws:ResourceTag/waybill.dev/cluster": "acme-prod", "aws:RequestTag/waybill.dev/cluster": "acme-dev"}}},
		"a network in another's name":          {dev, ask{"ec2:CreateVpc", regionARN + "vpc/1", map[string]string{"aws:RequestTag/waybill.dev/cluster": "acme-prod"}}},
		"the cluster of prod":                  {dev, ask{"eks:CreateAccessEntry", "arn:aws:eks:eu-central-1:111122223333:cluster/acme-prod", ofProd}},
		"a cluster whose name begins alike":    {dev, ask{"eks:DeleteCluster", "arn:aws:eks:eu-central-1:111122223333:cluster/acme-dev-eu", nil}},
		"the backups of prod":                  {dev, ask{"s3:DeleteBucket", "arn:aws:s3:::acme-prod-111122223333-backup", nil}},
		"the state":                            {dev, ask{"s3:PutBucketPolicy", "arn:aws:s3:::acme-111122223333-state", nil}},
		"the key of prod":                      {dev, ask{"kms:ScheduleKeyDeletion", "arn:aws:kms:eu-central-1:111122223333:key/1", ofProd}},
		"a key that nobody owns":               {dev, ask{"kms:PutKeyPolicy", "arn:aws:kms:eu-central-1:111122223333:key/1", nil}},
		"a record of prod":                     {dev, ask{"route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z1", map[string]string{"route53:ChangeResourceRecordSetsNormalizedRecordNames": "acme.example"}}},
		"a record that ends alike":             {dev, ask{"route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z1", map[string]string{"route53:ChangeResourceRecordSetsNormalizedRecordNames": "evildev.acme.example"}}},
		"a database, where there is none":      {dev, ask{"rds:CreateDBInstance", "arn:aws:rds:eu-central-1:111122223333:db:acme-dev", ofDev}},
		"a budget, where there is none":        {dev, ask{"budgets:ModifyBudget", "arn:aws:budgets::111122223333:budget/acme-dev", nil}},
		"images, where it makes none":          {dev, ask{"ecr:DeleteRepository", "arn:aws:ecr:eu-central-1:111122223333:repository/backend", nil}},
		"account: a boundary":                  {account, ask{"iam:CreatePolicyVersion", policyARN + "acme-made-prod", nil}},
		"account: its own role":                {account, ask{"iam:PutRolePolicy", roleARN + "acme-apply-infra", bound}},
		"account: a role without a boundary":   {account, ask{"iam:CreateRole", roleARN + "acme-apply-x", nil}},
		"account: a role of a cluster":         {account, ask{"iam:CreateRole", roleARN + "acme-dev-x", bound}},
		"account: the provider":                {account, ask{"iam:CreateOpenIDConnectProvider", "arn:aws:iam::111122223333:oidc-provider/evil.example", nil}},
		"account: a network":                   {account, ask{"ec2:DeleteVpc", regionARN + "vpc/1", ofDev}},
	} {
		if c.role.may(c.ask) {
			t.Errorf("%s: acme-apply-%s may: %v", name, c.role.key, c.ask)
		}
	}
	state := keyOfStates(t, plans["account"])
	claimed := ask{"kms:TagResource", state, map[string]string{"aws:RequestTag/waybill.dev/cluster": "acme-dev"}}
	if dev.may(claimed) {
		t.Errorf("acme-apply-dev may take the key of the states for its own: %v", claimed)
	}
	other := claimed
	if other.resource = "arn:aws:kms:eu-central-1:111122223333:key/new"; !dev.may(other) {
		t.Errorf("acme-apply-dev may not tag a key that it makes: %v", other)
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
	for _, a := range []ask{
		{"iam:CreateRole", "*", nil}, {"iam:AttachRolePolicy", "*", nil}, {"sts:AssumeRole", "*", nil},
		{"iam:PassRole", "arn:aws:iam::111122223333:role/acme-dev-eks-1", map[string]string{"iam:PassedToService": "ec2.amazonaws.com"}},
		{"eks:CreateAccessEntry", "*", nil}, {"ssm:SendCommand", "*", nil}, {"ssm:StartSession", "*", nil},
		{"ssm:GetParameter", "arn:aws:ssm:eu-central-1:111122223333:parameter/prod/password", nil},
		{"secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-central-1:111122223333:secret:acme-prod/backend", nil},
		{"s3:GetObject", "arn:aws:s3:::acme-prod-111122223333-backup/x", nil}, {"s3:GetObject", "arn:aws:s3:::acme-111122223333-state/prod/terraform.tfstate", nil},
		{"kms:Decrypt", "arn:aws:kms:eu-central-1:111122223333:key/1", nil},
		{"ec2:TerminateInstances", regionARN + "instance/1", map[string]string{"aws:ResourceTag/waybill.dev/cluster": "acme-prod"}},
	} {
		if r.may(a) {
			t.Errorf("a role that dev makes may: %v", a)
		}
	}
	for _, a := range []ask{
		{"ecr:BatchGetImage", "*", nil}, {"eks-auth:AssumeRoleForPodIdentity", "*", nil},
		{"secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-central-1:111122223333:secret:acme-dev/backend", nil},
		{"s3:PutObject", "arn:aws:s3:::acme-dev-111122223333-loki/x", nil},
		{"iam:PassRole", "arn:aws:iam::111122223333:role/acme-dev-karpenter-node", map[string]string{"iam:PassedToService": "ec2.amazonaws.com"}},
	} {
		if !r.may(a) {
			t.Errorf("a role that dev makes may not: %v", a)
		}
	}
}

// ask is a request to AWS.
type ask struct {
	action, resource string
	context          map[string]string
}

// iamPolicy is a policy of IAM, of which this test knows what the modules write.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
type iamPolicy struct {
	name, text string
	Statement  []struct {
		Sid, Effect                              string
		Action, NotAction, Resource, NotResource words
		Condition                                map[string]map[string]words
	}
}

// words are one word or a list of them.
type words []string

func (w *words) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(w))
}

func parsePolicy(t *testing.T, name, text string) iamPolicy {
	t.Helper()
	p := iamPolicy{name: name, text: text}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
	return p
}

func (p iamPolicy) judge(a ask) (allow, deny bool) {
	for _, s := range p.Statement {
		if (len(s.Action) > 0) != s.Action.match(strings.ToLower(a.action)) || len(s.NotAction) > 0 && s.NotAction.match(strings.ToLower(a.action)) ||
			len(s.Resource) > 0 && !s.Resource.match(a.resource) || len(s.NotResource) > 0 && s.NotResource.match(a.resource) ||
			!holds(s.Condition, a.context) {
			continue
		}
		allow, deny = allow || s.Effect == "Allow", deny || s.Effect == "Deny"
	}
	return allow, deny
}

// match reports whether a pattern of IAM matches. Actions have no letters of their own.
func (w words) match(value string) bool {
	return slices.ContainsFunc(w, func(pattern string) bool {
		if !strings.Contains(pattern, ":") || !strings.HasPrefix(pattern, "arn:") {
			pattern, value = strings.ToLower(pattern), strings.ToLower(value)
		}
		// path.Match gives the slash a meaning that IAM does not know.
		ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(value, "/", "\x00"))
		return err == nil && ok
	})
}

// holds reports whether all conditions hold. A key that the request does not have fails
// a comparison, and holds for the opposite of one.
func holds(conditions map[string]map[string]words, context map[string]string) bool {
	for operator, keys := range conditions {
		for key, values := range keys {
			value, there := context[key]
			var ok bool
			switch operator {
			case "Null":
				ok = (values[0] == "true") != there
			case "StringEquals":
				ok = there && slices.Contains(values, value)
			case "StringLike", "ArnLike", "ArnEquals", "ForAllValues:StringLike":
				ok = there && values.match(value)
			case "StringNotEquals":
				ok = !there || !slices.Contains(values, value)
			case "StringNotLike":
				ok = !there || !values.match(value)
			}
			if !ok {
				return false
			}
		}
	}
	return true
}
