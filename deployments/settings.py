"""What `deployments.bootstrap` needs to know of where runs are started and who hears of failed ones."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class DeploymentSettings(BaseSettings):
    """Reads WHARF_WORK_POOL_TYPE and WHARF_OPERATOR_WEBHOOK from the environment or `.env`."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)

    work_pool_type: Literal["process", "docker", "kubernetes"] = Field(
        default="process", validation_alias="WHARF_WORK_POOL_TYPE"
    )
    operator_webhook: SecretStr | None = Field(default=None, validation_alias="WHARF_OPERATOR_WEBHOOK")
