package plan

import (
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// CheckWhole refuses a plan that is not all of what its configuration asks for.
func CheckWhole(planJSON []byte) error {
	why, err := terraform.Incomplete(planJSON)
	if err != nil {
		return err
	}
	if why != "" {
		return outcome.Refusedf("the plan is incomplete: %s. What was approved would say less than the next apply does", why)
	}
	return nil
}
