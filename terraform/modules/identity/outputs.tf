output "provider_arn" {
  description = "The account's OIDC provider for GitHub."
  value       = local.provider_arn
}

output "push_role_arns" {
  description = "Roles that push images, by name."
  value       = { for key, role in aws_iam_role.push : key => role.arn }
}

output "plan_role_arns" {
  description = "Roles that plan, by name."
  value       = { for key, role in aws_iam_role.plan : key => role.arn }
}

output "apply_role_arns" {
  description = "Roles that apply, by name."
  value       = { for key, role in aws_iam_role.apply : key => role.arn }
}

output "subjects" {
  description = "Subjects of the tokens that each role accepts, by kind and name: compare them with what `gh api repos/OWNER/NAME/actions/oidc/customization/sub` and a run's token say."
  value       = { for key, r in local.roles : key => r.subjects }
}

output "person_role_arns" {
  description = "Roles that people take for clusters, by name: what access entries name."
  value       = { for key, role in aws_iam_role.person : key => role.arn }
}

output "job_role_arns" {
  description = "Roles that jobs take for clusters, by name."
  value       = { for key, role in aws_iam_role.job : key => role.arn }
}

output "made_boundary_arns" {
  description = "Boundary of the roles that each apply role's roots make, by name of the apply role: permissions_boundary_arn of their modules."
  value       = { for key, policy in aws_iam_policy.made : key => policy.arn }
}
