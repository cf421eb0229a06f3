resource "aws_kms_key" "this" {
  description             = "Logs and traces of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = var.tags
}

module "bucket" {
  source          = "../bucket"
  for_each        = var.retention_days
  name            = "${var.name}-${each.key}"
  kms_key_arn     = aws_kms_key.this.arn
  expire_days     = each.value
  noncurrent_days = 7
  tags            = var.tags
}
