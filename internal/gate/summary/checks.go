package summary

import (
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/redact"
)

// checks are the conditions of a plan that fail, or that broke.
func checks(p *terraform.Plan, secrets *redact.Secrets) (failed []Check) {
	for _, c := range p.Checks {
		for _, instance := range c.Instances {
			status := string(instance.Status)
			if status != "fail" && status != "error" {
				continue
			}
			one := Check{Address: secrets.Address(instance.Address.ToDisplay), Status: status}
			for _, problem := range instance.Problems {
				one.Messages = append(one.Messages, secrets.Redact(problem.Message))
			}
			failed = append(failed, one)
		}
		if status := string(c.Status); len(c.Instances) == 0 && (status == "fail" || status == "error") {
			failed = append(failed, Check{Address: secrets.Address(c.Address.ToDisplay), Status: status})
		}
	}
	return failed
}
