data "aws_region" "current" {}

resource "aws_kms_key" "this" {
  description             = "Terraform state and artifacts of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = var.tags
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}-state"
  target_key_id = aws_kms_key.this.key_id
}

module "state" {
  source          = "../bucket"
  name            = "${var.name}-state"
  kms_key_arn     = aws_kms_key.this.arn
  noncurrent_days = var.version_days
  access_log      = var.access_log
  tags            = var.tags
}

module "artifacts" {
  source          = "../bucket"
  name            = "${var.name}-artifacts"
  kms_key_arn     = aws_kms_key.this.arn
  expire_days     = var.artifact_days
  noncurrent_days = 7
  access_log      = var.access_log
  tags            = var.tags
}
